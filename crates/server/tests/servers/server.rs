//! The one HTTP server behind all of them: it records each request before it answers by a function.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::asked::{Asked, Log};

/// What a server answers; the body may come in pieces.
pub type Reply = Response<BoxBody<Bytes, Infallible>>;

/// A listening server. Dropped, it is gone with all its connections.
pub struct Server {
    pub address: SocketAddr,
    log: Arc<Log>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers at once.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        Server::held(move |asked| {
            let reply = answer(&asked);
            Box::pin(async move { reply })
        })
        .await
    }

    /// Answers when the future says so.
    pub async fn held(answer: impl Fn(Asked) -> BoxFuture<'static, Reply> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let log = Arc::new(Log::new());
        let task = tokio::spawn(accept(listener, log.clone(), Arc::new(answer)));
        Server { address, log, task }
    }

    /// `path` on this server; `""` for the base of all.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.log.all()
    }

    /// What was asked of one method and path.
    pub fn asked_for(&self, line: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.line() == line).collect()
    }

    /// Method and path of everything that was asked so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    /// Resolves when this many requests have come.
    pub async fn reaches(&self, count: usize) {
        self.log.reaches(count).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answer = dyn Fn(Asked) -> BoxFuture<'static, Reply> + Send + Sync;

async fn accept(listener: TcpListener, log: Arc<Log>, answer: Arc<Answer>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a connected socket takes options");
        let (log, answer) = (log.clone(), answer.clone());
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let asked = Asked {
                    method: head.method,
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().unwrap_or_default().to_owned(),
                    headers: head.headers,
                    body: body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
                };
                log.add(asked.clone());
                Ok::<_, Infallible>(answer(asked).await)
            }
        });
        connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}

/// A whole answer.
pub fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    with_body(status, headers, Full::new(body.into()).boxed())
}

/// A JSON answer.
pub fn json(status: u16, value: &Value) -> Reply {
    reply(status, &[("content-type", "application/json")], value.to_string())
}

/// An answer in exactly these pieces, each an HTTP chunk of its own.
pub fn in_pieces(status: u16, headers: &[(&str, &str)], pieces: Vec<Bytes>) -> Reply {
    let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(hyper::body::Frame::data(piece)));
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()));
    with_body(status, headers, BodyExt::boxed(body))
}

fn with_body(status: u16, headers: &[(&str, &str)], body: BoxBody<Bytes, Infallible>) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("tests answer with real statuses");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("tests answer with real headers");
        response.headers_mut().append(name, value.parse().expect("tests answer with readable headers"));
    }
    response
}
