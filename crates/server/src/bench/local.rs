//! A local service to call: answers every GET with a small JSON object.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Starts it on a thread of its own, so that its work is not counted as a runtime's of ours.
pub fn start() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("the socket is open");
            while let Ok((mut stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                tokio::spawn(async move {
                    let mut buffer = [0; 8192];
                    while let Ok(read) = stream.read(&mut buffer).await {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
                        if read == 0 || stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    Ok(address)
}
