//! A listener whose connections the test itself reads and writes, byte by byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Raw {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Raw {
    pub async fn listen() -> Raw {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Raw { listener, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next connection, after its request's head has come.
    pub async fn request(&self) -> TcpStream {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
    }

    /// Answers one request with these bytes and closes.
    pub async fn answer(&self, bytes: &[u8]) {
        let mut stream = self.request().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

/// Ends a connection as a crashed process does: with a reset.
pub fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}
