//! What the machine itself gives: the disk's flush, a bare HTTP exchange on loopback, one JSON parse.

use std::io::Write;
use std::path::Path;

use mainspring_model::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::load::{self, Load};
use crate::wire::SystemClock;

/// `fdatasync` calls a second after small writes to one file.
pub fn flushes(folder: &Path) -> anyhow::Result<f64> {
    let clock = SystemClock::new();
    let path = folder.join("flush");
    let mut file = std::fs::File::create(&path)?;
    file.write_all(&[0; 1 << 20])?;
    file.sync_data()?;
    let began = clock.monotonic_us();
    let mut count = 0_u32;
    while clock.monotonic_us() - began < 500_000 {
        file.write_all(&[1; 512])?;
        file.sync_data()?;
        count += 1;
    }
    let seconds = (clock.monotonic_us() - began) as f64 / 1e6;
    std::fs::remove_file(path)?;
    Ok(f64::from(count) / seconds)
}

/// Requests a second of a server in this process that answers a fixed text, by the same load client.
pub async fn bare_http(connections: usize, requests: usize) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await {
                    if read == 0 || stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let done = load::run(Load { address, connections, requests, request: load::post("/", "{}"), expect: 200 }).await?;
    server.abort();
    Ok(done.rate())
}
