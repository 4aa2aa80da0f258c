//! A load client that costs little: raw keep-alive connections, one request after the other on each, every answer checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use mainspring_model::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::SystemClock;

/// A load.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub requests: usize,
    /// One whole request.
    pub request: Vec<u8>,
    pub expect: u16,
}

/// What a load saw.
pub struct Done {
    /// Microseconds each, sorted.
    pub latencies: Vec<u64>,
    pub micros: u64,
}

impl Done {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / (self.micros as f64 / 1e6)
    }
}

/// A POST of a JSON body.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A GET of somebody who says who they are, or of nobody.
pub fn get_as(path: &str, token: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}\r\n").into_bytes()
}

/// Runs the load to its end.
///
/// # Errors
/// A connection that broke, or an answer with another status.
pub async fn run(load: Load) -> anyhow::Result<Done> {
    let left = Arc::new(AtomicUsize::new(load.requests));
    let clock = Arc::new(SystemClock::new());
    let mut streams = Vec::new();
    for _ in 0..load.connections {
        let stream = TcpStream::connect(load.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let began = clock.monotonic_us();
    let mut tasks = Vec::new();
    for stream in streams {
        let (left, clock, load) = (left.clone(), clock.clone(), load.clone());
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::over(stream);
            let mut latencies = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let start = clock.monotonic_us();
                let (status, body) = connection.exchange(&load.request).await?;
                ensure!(status == load.expect, "an answer was {status}: {}", String::from_utf8_lossy(&body));
                latencies.push(clock.monotonic_us() - start);
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut latencies = Vec::with_capacity(load.requests);
    for task in tasks {
        latencies.extend(task.await??);
    }
    let micros = clock.monotonic_us() - began;
    latencies.sort_unstable();
    Ok(Done { latencies, micros })
}

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn over(stream: TcpStream) -> Connection {
        Connection { stream, buffer: Vec::with_capacity(16 << 10) }
    }

    pub async fn to(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection::over(stream))
    }

    /// One request and its whole answer: status and body. Answers must carry a content length.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let text = std::str::from_utf8(&self.buffer[..head])?;
                let status: u16 = text.get(9..12).and_then(|status| status.parse().ok()).context("no status line")?;
                let length: usize = text
                    .lines()
                    .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
                    .map_or(Ok(0), |(_, value)| value.trim().parse())?;
                while self.buffer.len() < head + 4 + length {
                    self.fill().await?;
                }
                return Ok((status, self.buffer[head + 4..head + 4 + length].to_vec()));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
