//! Services that misbehave: each answers a request with the bytes that the test wrote.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Closed again when it is dropped.
pub struct Service {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

/// What a service does after its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Close,
    /// Says nothing more until the caller has gone.
    Hold,
}

impl Service {
    /// The first connection gets the first answer, and so on; the last answer stays.
    pub async fn start(answers: Vec<Vec<u8>>, then: Then) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            for count in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers[count.min(answers.len() - 1)].clone();
                tokio::spawn(one(stream, answer, then));
            }
        });
        Service { address, task }
    }

    pub async fn answering(answer: impl Into<Vec<u8>>) -> Service {
        Service::start(vec![answer.into()], Then::Close).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/x", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A caller that goes away early is what some tests are about.
async fn one(mut stream: TcpStream, answer: Vec<u8>, then: Then) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(&answer).await?;
    if then == Then::Hold {
        stream.read_to_end(&mut Vec::new()).await?;
    }
    stream.shutdown().await
}

/// An answer with a body of known length.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// A port of this machine on which nobody listens, and which nobody else gets while this lives.
pub struct Silent {
    pub address: SocketAddr,
    _socket: TcpSocket,
}

impl Silent {
    pub fn reserve() -> Silent {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Silent { address: socket.local_addr().unwrap(), _socket: socket }
    }
}
