//! The listening loop: accepts connections, serves them, and on the way down lets the requests in flight finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::api::Api;
use super::edge;
use crate::app::App;

/// Requests in flight get this long to finish when the server stops, in milliseconds.
const FINISH_WITHIN: i64 = 15_000;
/// The head of a request must have arrived within this long, also after the answer before it: a slow one holds a connection.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Headers of a request, and bytes of its head; more get 431 from the connection itself.
const HEADERS_MOST: usize = 100;
const HEAD_MOST: usize = 64 << 10;
/// After an accept that failed for want of file handles and the like, in milliseconds.
const BREATHE: i64 = 100;

/// Serves until `shutdown` resolves; then accepts no more, lets requests in flight finish within a bound, and returns.
pub async fn serve(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let (api, routes) = super::build(app);
    let connections = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => drop(connections.spawn(connection(api.clone(), routes.clone(), stream, peer))),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                api.clock.sleep_until(api.clock.now() + BREATHE).await;
            }
        }
    }
    drop(listener);
    api.closing.cancel();
    connections.close();
    api.sockets.close();
    let until = api.clock.now() + FINISH_WITHIN;
    tokio::select! {
        () = async { tokio::join!(connections.wait(), api.sockets.wait()); } => {}
        () = api.clock.sleep_until(until) => tracing::warn!(open = connections.len() + api.sockets.len(), "connections were cut off at shutdown"),
    }
}

async fn connection(api: Arc<Api>, routes: Router, stream: TcpStream, peer: SocketAddr) {
    // An answer is one small write: it must not wait for the peer's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no delay could not be set");
    }
    let closing = api.closing.clone();
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let (api, routes) = (api.clone(), routes.clone());
        async move { Ok::<_, Infallible>(edge::answer(&api, routes, Some(peer), request.map(Body::new)).await) }
    });
    let mut serving = http1::Builder::new();
    serving.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_headers(HEADERS_MOST).max_buf_size(HEAD_MOST);
    let mut serving = pin!(serving.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        // Peers go away as they like.
        tracing::debug!(%error, %peer, "a connection ended");
    }
}
