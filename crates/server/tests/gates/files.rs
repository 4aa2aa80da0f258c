//! Large files through the real program in little memory, and what a kill in the middle of an upload leaves: nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Client;
use super::clock::{now, pause};
use super::dice::Dice;
use super::process::Server;
use super::s8::peak;
use crate::servers::server::{Server as Outside, in_pieces, reply};

pub(super) const PIECE: usize = 1 << 20;
/// Of the file that passes.
const PIECES: usize = 192;
/// What it may add to the memory of the process, in KiB.
const MORE: u64 = 64 << 10;

/// Sends so many pieces of a body of `of`; the whole answer when all were sent.
pub(super) async fn upload(address: SocketAddr, of: usize, pieces: usize, stream: &mut Option<TcpStream>) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/files?name=large.bin HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        of * PIECE
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; PIECE];
    for _ in 0..pieces {
        connection.write_all(&piece).await.unwrap();
    }
    if pieces < of {
        *stream = Some(connection);
        return String::new();
    }
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

/// How many bytes of the content arrive.
pub(super) async fn download(address: SocketAddr, id: &str) -> usize {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /api/files/{id}/content HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let (mut buffer, mut all) = (vec![0; 256 << 10], 0);
    loop {
        match connection.read(&mut buffer).await.unwrap() {
            0 => return all,
            read => all += buffer[..read].iter().filter(|byte| **byte == 7).count(),
        }
    }
}

/// Files below a folder, and their bytes.
fn held(folder: &Path) -> (usize, u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return (0, 0) };
    let (mut files, mut bytes) = (0, 0);
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            let (more, size) = held(&entry.path());
            (files, bytes) = (files + more, bytes + size);
        } else {
            (files, bytes) = (files + 1, bytes + entry.metadata().map_or(0, |meta| meta.len()));
        }
    }
    (files, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_passes_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(71));
    server.start().await;
    let outside = Outside::start(|asked| match asked.path.as_str() {
        "/large" => in_pieces(200, &[("content-type", "text/plain")], vec![Bytes::from(vec![7; PIECE]); PIECES]),
        "/small" => reply(200, &[], "small"),
        _ => reply(200, &[], asked.body.len().to_string()),
    })
    .await;
    let mut client = Client::new(server.address);
    let through = |from: &str| {
        json!({"name": format!("Through {from}"), "steps": [
            {"id": "down", "action": "http.get", "timeout": "5m", "params": {"url": outside.url(from), "response": "file", "timeout": "5m"}},
            {"id": "up", "action": "http.put", "timeout": "5m", "params": {
                "url": outside.url("/sink"), "body_type": "binary", "body": "${steps.down.output}", "response": "text", "timeout": "5m"}},
        ]})
    };
    let run = async |client: &mut Client, from: &str| {
        let (status, saved) = client.post("/api/plans", &through(from)).await.unwrap();
        assert_eq!(status, 201, "{saved}");
        let wanted = json!({"plan_id": saved["plan"]["id"]});
        client.post("/api/execute", &wanted).await.unwrap().1["execution"].clone()
    };
    // What is made at the first use is made before the count begins.
    assert_eq!(run(&mut client, "/small").await["step_outputs"][1], "5");
    peak(&server);
    let before = server.resident();
    let began = now();
    let execution = run(&mut client, "/large").await;
    let (through, more) = (began.elapsed(), peak(&server).saturating_sub(before));
    assert_eq!(execution["step_outputs"][1], (PIECES * PIECE).to_string(), "{execution}");
    let began = now();
    let answer = upload(server.address, PIECES, PIECES, &mut None).await;
    let (up, more_up) = (began.elapsed(), peak(&server).saturating_sub(before));
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap_or_else(|_| panic!("{answer}"));
    let began = now();
    assert_eq!(download(server.address, body["file"]["file"].as_str().unwrap()).await, PIECES * PIECE);
    let (down, more_down) = (began.elapsed(), peak(&server).saturating_sub(before));
    println!(
        "files: {PIECES} MiB through a plan in {through:?} with {} MiB more, up in {up:?} with {}, down in {down:?} with {}",
        more >> 10,
        more_up >> 10,
        more_down >> 10
    );
    assert!(more.max(more_up).max(more_down) <= MORE, "{more} KiB, {more_up} KiB, {more_down} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_an_upload_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(72));
    server.start().await;
    let files = server.data().join("files");
    let mut open = None;
    upload(server.address, PIECES, 4, &mut open).await;
    let patience = Duration::from_secs(30);
    let began = now();
    while held(&files).1 < 3 * PIECE as u64 {
        assert!(began.elapsed() < patience, "nothing arrives: {:?}", held(&files));
        pause(Duration::from_millis(5)).await;
    }
    assert!(server.kill(), "it was alive");
    assert_eq!(held(&files).0, 1);
    server.start().await;
    let mut client = Client::new(server.address);
    let listed = client.get("/api/files").await.unwrap().1;
    assert_eq!((&listed["files"], &listed["used"]["bytes"]), (&json!([]), &json!(0)));
    let began = now();
    while held(&files).0 > 0 {
        assert!(began.elapsed() < patience, "the bytes stay: {:?}", held(&files));
        pause(Duration::from_millis(5)).await;
    }
}
