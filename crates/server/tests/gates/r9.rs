//! R9: sixty-four runs at once, each with an output of 10 MiB, in 300 MB of memory; and what is larger ends with an error that says so.

use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::clock::{now, pause};
use super::dice::Dice;
use super::process::Server;
use super::s8::peak;
use crate::servers::server::{Server as Outside, reply};

const RUNS: usize = 64;
const OUTPUT: usize = 10 << 20;
/// In KiB: 300 MB.
const MOST: u64 = 300_000_000 >> 10;
const SETTLE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_outputs_at_once_take_little_memory() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(9));
    server.start().await;
    let text = bytes::Bytes::from("0123456789abcdef".repeat(OUTPUT / 16));
    let over = bytes::Bytes::from("x".repeat(OUTPUT + 1));
    let outside = Outside::start(move |asked| match asked.path.as_str() {
        "/large" => reply(200, &[("content-type", "text/plain")], text.clone()),
        "/over" => reply(200, &[("content-type", "text/plain")], over.clone()),
        _ => reply(200, &[("content-type", "text/plain")], "small"),
    })
    .await;
    let mut client = Client::new(server.address);
    let plan = |path: &str| {
        json!({
            "name": format!("Take {path}"),
            "triggers": [{"id": "asked", "type": "event", "event_type": format!("take{}", path.replace('/', "."))}],
            "steps": [
                {"id": "get", "action": "http.get", "timeout": "4m",
                    "params": {"url": outside.url(path), "response": "text", "timeout": "3m"}},
                {"id": "size", "action": "logic.set", "params": {"value": "${steps.get.output.length}"}},
            ],
        })
    };
    for path in ["/small", "/large", "/over"] {
        let (status, answer) = client.post("/api/plans", &plan(path)).await.unwrap();
        assert_eq!(status, 201, "{answer}");
    }
    let mut ended = 0;
    for (path, runs, errors) in [("small", 1, 0), ("large", RUNS, 0), ("over", 1, 1)] {
        if path == "large" {
            // What is made at the first use is made before the count begins.
            peak(&server);
        }
        let before = server.resident();
        for n in 0..runs {
            let event = json!({"type": format!("take.{path}"), "data": {"n": n}});
            let (status, answer) = client.post("/api/events", &event).await.unwrap();
            assert_eq!(status, 202, "{answer}");
        }
        ended += runs;
        let began = now();
        loop {
            let (_, status) = client.get("/api/monitoring/status").await.unwrap();
            if status["successful"].as_u64().unwrap() + status["failed"].as_u64().unwrap() >= ended as u64 {
                assert_eq!(status["failed"], errors, "{status}");
                break;
            }
            assert!(began.elapsed() < SETTLE, "not all have ended: {status}");
            pause(Duration::from_millis(50)).await;
        }
        if path == "large" {
            let most = peak(&server);
            println!(
                "R9: {RUNS} outputs of {} MiB in {:?}, {} MiB at the most, {} before",
                OUTPUT >> 20,
                began.elapsed(),
                most >> 10,
                before >> 10
            );
            assert!(most <= MOST, "{} MB at the most", (most << 10) / 1_000_000);
        }
    }
    let (_, runs) = client.get("/api/runs?status=error").await.unwrap();
    assert_eq!(runs["runs"][0]["error"]["code"], "PAYLOAD_TOO_LARGE", "{runs}");
}
