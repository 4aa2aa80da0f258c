//! Request bodies that are too large: whoever sends one reads why, however it is sent.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::running::Running;

const SIZE: usize = 11 << 20;
const SAID: &str =
    "413 PAYLOAD_TOO_LARGE: the body is larger than 10 MiB, the most that this server takes; send less, or raise MAINSPRING_MAX_BODY";

/// Sends all of a request before it reads, as most clients do; what the server said.
async fn sent(server: &Running, head: &str, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/plans HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n{head}\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for part in parts {
        stream.write_all(part).await.expect("the server takes the body in, however large");
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the connection ends in order");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let status = head.split(' ').nth(1).unwrap();
    format!("{status} {}: {}", body["code"].as_str().unwrap(), body["detail"].as_str().unwrap())
}

#[tokio::test]
async fn eleven_mebibytes_are_refused_and_the_caller_reads_why() {
    let mut server = Running::start().await;
    let body = vec![b' '; SIZE];
    assert_eq!(sent(&server, &format!("content-length: {SIZE}\r\n"), &[&body]).await, SAID, "with its length");
    let chunk = format!("{:x}\r\n", 1 << 20);
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in body.chunks(1 << 20) {
        parts.extend([chunk.as_bytes(), part, b"\r\n"]);
    }
    parts.push(b"0\r\n\r\n");
    assert_eq!(sent(&server, "transfer-encoding: chunked\r\n", &parts).await, SAID, "in chunks");
    // Who asks first is told no, and need not send.
    assert_eq!(sent(&server, &format!("content-length: {SIZE}\r\nexpect: 100-continue\r\n"), &[]).await, SAID, "asked first");
    server.whole().await;
}
