//! The real program with its files in a bucket: up, through a plan, down; a kill in an upload; and a start without the bucket.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause};
use super::dice::Dice;
use super::files::{PIECE, download, upload};
use super::process::Server;
use crate::servers::bucket::Store;

/// MiB of the file: several parts of an upload.
const PIECES: usize = 24;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_live_in_a_bucket_through_kills() {
    let store = Store::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(73));
    store.settings().iter().for_each(|(name, value)| server.tell(name, value));
    server.start().await;
    let answer = upload(server.address, PIECES, PIECES, &mut None).await;
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap_or_else(|_| panic!("{answer}"));
    let id = body["file"]["file"].as_str().unwrap().to_owned();
    assert_eq!(store.left().0, 1, "one object");

    // A kill while another one arrives.
    let mut open = None;
    upload(server.address, PIECES, 12, &mut open).await;
    let began = now();
    while store.left().1 == 0 {
        assert!(began.elapsed() < PATIENCE, "no part arrives");
        pause(Duration::from_millis(5)).await;
    }
    assert!(server.kill(), "it was alive");
    server.start().await;
    let mut client = Client::new(server.address);
    let listed = client.get("/api/files").await.unwrap().1;
    assert_eq!((listed["files"].as_array().map(Vec::len), &listed["files"][0]["file"]), (Some(1), &json!(id)));
    assert_eq!(download(server.address, &id).await, PIECES * PIECE, "after a kill the bytes are there");

    // Through a plan: read, written, and listed.
    let plan = json!({"name": "Copy", "inputs": {"from": {"type": "object", "format": "file", "required": true}}, "steps": [
        {"id": "head", "action": "file.read", "params": {"file": "${inputs.from}", "as": "base64", "length": 6}},
        {"id": "copy", "action": "file.write", "params": {"name": "head.bin", "base64": "${steps.head.output}"}},
        {"id": "back", "action": "file.read", "params": {"file": "${steps.copy.output}", "as": "base64"}},
    ]});
    let (status, saved) = client.post("/api/plans", &plan).await.unwrap();
    assert_eq!(status, 201, "{saved}");
    let wanted = json!({"plan_id": saved["plan"]["id"], "inputs": {"from": body["file"]}});
    let ran = client.post("/api/execute", &wanted).await.unwrap().1;
    assert_eq!(ran["execution"]["step_outputs"][2], "BwcHBwcH", "{ran}");
    let began = now();
    while store.left() != (2, 0) {
        assert!(began.elapsed() < PATIENCE, "what broke off stays: {:?}", store.left());
        pause(Duration::from_millis(20)).await;
    }
    client.send("DELETE", &format!("/api/files/{id}"), None, None).await.unwrap();
    assert_eq!(store.left().0, 1, "a removed file's bytes go");

    // A start that finds no store says so before the port opens.
    assert!(server.kill(), "it was alive");
    server.tell("AWS_SECRET_ACCESS_KEY", "another");
    server.spawn();
    assert!(server.ended().await.is_some_and(|code| code != 0), "{}", server.log());
    assert!(server.log().contains("BUCKET_UNUSABLE"), "{}", server.log());
}
