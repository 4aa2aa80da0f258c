//! A disk that fills up under the running server: new work is refused, what was accepted waits, and room heals it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::process::Command;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mainspring_engine::NoMarks;
use mainspring_server::settings::Settings;
use mainspring_server::wire::{self, SystemClock};
use mainspring_store::{OpenOptions, SqliteStore};
use mainspring_vault::{KeyRing, OsEntropy};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::machine::may_mount;
use super::running::Running;
use crate::cli::program::Place;

const SAID: &str = "503 DISK_FULL: the server's disk is full; nothing accepted was lost";

fn echo() -> Value {
    json!({"name": "Echo text", "inputs": {"text": {"type": "string"}}, "steps": [{"id": "say", "action": "logic.set", "params": {"text": "${inputs.text}"}}]})
}

/// A server whose data folder is a disk of 8 MiB that nobody else sees.
async fn on_a_small_disk() -> Running {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=8m tmpfs \"$1\" && exec \"$2\" serve --dev --listen 127.0.0.1:0 --data \"$1\"";
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(place.data())
        .arg(env!("CARGO_BIN_EXE_mainspring"));
    command.env_clear().env("PATH", "/usr/bin:/bin").stderr(std::process::Stdio::piped());
    Running::of(place, command).await
}

/// Takes all room, and gives the file that holds it.
fn fill(server: &Running) -> String {
    // The process's own view of its disk, from outside.
    let filler = format!("/proc/{}/root{}", server.process.id(), server.place.data().join("filler").display());
    let mut file = File::create(&filler).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4_096]) {
            break error.kind();
        }
    };
    assert_eq!(full, ErrorKind::StorageFull);
    filler
}

#[tokio::test]
async fn a_full_disk_floods_no_log_and_holds_no_end_up() {
    if !may_mount() {
        return println!("skipped: this user may make no mounts; the test below fills a database up to its own bound");
    }
    let server = on_a_small_disk().await;
    // One run is due while nothing can be written, another one has an attempt in flight whose end cannot be written.
    let nap = json!({"name": "Nap", "steps": [{"id": "nap", "action": "logic.sleep", "params": {"for": "1100ms"}}]});
    let nap = server.save(&nap).await;
    assert_eq!(server.execute(&nap, json!({})).await.status, 202);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let call = json!({"id": "call", "action": "http.get", "params": {"url": url, "timeout": "2500ms"}, "retry": {"max_attempts": 1}});
    let call = server.save(&json!({"name": "Call", "steps": [call]})).await;
    let started = server.post("/api/execute", &json!({"plan_id": call, "wait": false})).await;
    assert_eq!(started.status, 202, "{}", started.body);
    let (mut stream, _) = silent.accept().await.unwrap();
    fill(&server);
    let mut plan = echo();
    plan["description"] = json!("x".repeat(200_000));
    while server.post("/api/plans", &plan).await.status == 201 {}
    // The caller hangs up when the step's time is over.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    let tries = log.matches("the queue could not be read").count();
    assert!((1..20).contains(&tries), "tried {tries} times in a second and a half:\n{}", &log[..log.len().min(2_000)]);
}

#[tokio::test]
async fn a_real_disk_fills_up_and_gets_room_again() {
    if !may_mount() {
        return println!("skipped: this user may make no mounts; the test below fills a database up to its own bound");
    }
    let mut server = on_a_small_disk().await;
    let id = server.save(&echo()).await;
    // Accepted while there is room, due when there is none.
    let nap = json!({"name": "Nap", "steps": [{"id": "nap", "action": "logic.sleep", "params": {"for": "1500ms"}}, {"id": "done", "action": "logic.set", "params": {"woke": true}}]});
    let nap = server.save(&nap).await;
    let waiting = server.execute(&nap, json!({})).await;
    assert_eq!(waiting.status, 202, "{}", waiting.body);

    let filler = fill(&server);

    // What the database's log still has room for is accepted, and whole; then it ends.
    let mut kept: Vec<(String, String)> = Vec::new();
    let refused = loop {
        let text = format!("{} {}", kept.len(), "x".repeat(50_000));
        let executed = server.execute(&id, json!({"text": text})).await;
        if executed.status != 200 {
            break executed;
        }
        assert_eq!(executed.body["execution"]["step_outputs"], json!([{"text": text}]));
        kept.push((executed.body["execution"]["id"].as_str().unwrap().to_owned(), text));
        assert!(kept.len() < 400, "the disk does not fill up");
    };
    assert_eq!((refused.refusal().as_str(), refused.header("retry-after")), (SAID, Some("5")));
    // A value that would lie in a file of its own is refused in the same words, and at once.
    let large = server.execute(&id, json!({"text": "x".repeat(600_000)})).await;
    assert_eq!((large.refusal().as_str(), large.header("retry-after")), (SAID, Some("5")));
    let mut plan = echo();
    plan["description"] = json!("x".repeat(100_000));
    assert_eq!(server.post("/api/plans", &plan).await.refusal(), SAID);
    assert_eq!(server.process.try_wait().unwrap(), None, "the process lives");
    let ready = server.get("/health/readiness").await;
    assert_eq!((ready.status, &ready.body["checks"]["database"]), (503, &json!("error")), "{}", ready.body);
    for (run, text) in &kept {
        assert_eq!(server.get(&format!("/api/runs/{run}")).await.body["run"]["output"], json!({"text": text}));
    }

    std::fs::remove_file(&filler).unwrap();
    // The stream ends with the run, so reading it to its end is waiting for that.
    let run = waiting.body["execution"]["id"].as_str().unwrap();
    let events = server.get(&format!("/api/runs/{run}/events")).await.body;
    assert!(events.as_str().is_some_and(|events| events.contains("event: finished")), "{events}");
    let run = server.run(&waiting).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("success"), &json!({"woke": true})));
    let executed = server.execute(&id, json!({"text": "x".repeat(600_000)})).await;
    assert_eq!((executed.status, &executed.body["success"]), (200, &json!(true)));
    server.whole().await;
    let runs = server.get("/api/runs?limit=200&status=success").await.body["runs"].as_array().unwrap().len();
    // The server's own of before and after, the one that slept, the last one.
    assert_eq!(runs, kept.len() + 4, "nothing refused left a run behind");
    assert_eq!(server.stop().0, 0);
}

#[tokio::test]
async fn a_database_at_its_bound_refuses_and_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let options = OpenOptions { max_pages: Some(400), ..OpenOptions::new(folder.path(), clock.clone()) };
    let store = SqliteStore::open(options).await.unwrap();
    let ring = KeyRing::open_or_create_file(&folder.path().join("key"), false, &OsEntropy).unwrap();
    let settings = Settings { data: folder.path().to_owned(), dev: true, ..Settings::default() };
    let app = wire::join(&settings, store, ring, clock, Arc::new(NoMarks)).await.unwrap();
    let routes = mainspring_server::http::router(app);
    let ask = async |method: &str, path: &str, body: Value| {
        let request = Request::builder().method(method).uri(path).header("host", "localhost").header("content-type", "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let (head, body) = routes.clone().oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        (head.status.as_u16(), head.headers.get("retry-after").cloned(), body)
    };
    let id = ask("POST", "/api/plans", echo()).await.2["plan"]["id"].clone();
    let mut kept = Vec::new();
    let (status, retry_after, refused) = loop {
        let text = format!("{} {}", kept.len(), "x".repeat(20_000));
        let answer = ask("POST", "/api/execute", json!({"plan_id": id, "inputs": {"text": text}})).await;
        if answer.0 != 200 {
            break answer;
        }
        kept.push((answer.2["execution"]["id"].as_str().unwrap().to_owned(), text));
    };
    let said = format!("{status} {}: {}", refused["code"].as_str().unwrap(), refused["detail"].as_str().unwrap());
    assert_eq!((said.as_str(), retry_after.unwrap().to_str().unwrap()), (SAID, "5"));
    assert!(kept.len() > 3, "{}", kept.len());
    let mut paths = Vec::new();
    for (run, text) in &kept {
        let read = ask("GET", &format!("/api/runs/{run}"), Value::Null).await.2;
        assert_eq!((&read["run"]["status"], &read["run"]["output"]["text"]), (&json!("success"), &json!(text)));
        paths.push(run);
    }
    let listed = ask("GET", "/api/runs?limit=200", Value::Null).await.2;
    assert_eq!(listed["runs"].as_array().unwrap().len(), paths.len(), "what was refused left nothing behind");
    assert_eq!(ask("GET", "/api/health", Value::Null).await.0, 200);
}
