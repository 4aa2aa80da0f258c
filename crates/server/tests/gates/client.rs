//! A plain HTTP/1.1 client with one connection: it knows an answer from a connection that died, and nothing else.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The server died under the request, or is not there: whether the request was taken is unknown.
#[derive(Debug)]
pub struct Gone;

/// Status and JSON body (null when there is none).
pub type Answer = (u16, Value);

pub struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        Client { address, connection: None }
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, Gone> {
        self.send("GET", path, None, None).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Gone> {
        self.send("POST", path, Some(body), None).await
    }

    pub async fn send(&mut self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Answer, Gone> {
        let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        self.send_text(method, path, body.map(Value::to_string), &headers).await
    }

    /// A text as it is, with further headers; JSON unless they say otherwise.
    pub async fn post_with(&mut self, path: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer, Gone> {
        self.send_text("POST", path, Some(body.to_owned()), headers).await
    }

    async fn send_text(&mut self, method: &str, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Result<Answer, Gone> {
        let mut connection = match self.connection.take() {
            Some(connection) if connection.is_ready() => connection,
            _ => self.connect().await?,
        };
        let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(Bytes::from).unwrap_or_default();
        let response = connection.send_request(request.body(Full::new(body)).unwrap()).await.map_err(|_| Gone)?;
        let status = response.status().as_u16();
        // Half an answer is none.
        let bytes = response.into_body().collect().await.map_err(|_| Gone)?.to_bytes();
        if connection.ready().await.is_ok() {
            self.connection = Some(connection);
        }
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Gone> {
        let stream = TcpStream::connect(self.address).await.map_err(|_| Gone)?;
        stream.set_nodelay(true).map_err(|_| Gone)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await.map_err(|_| Gone)?;
        tokio::spawn(driver);
        Ok(connection)
    }
}
