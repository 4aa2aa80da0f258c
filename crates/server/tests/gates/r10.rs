//! R10: what was removed gives its room back: after many runs and their removal the file is as large as what is left asks for, and whole.
//! `MAINSPRING_TEST_GROWTH=20000` is the long form.

use std::sync::Arc;

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::store::{Health, LogStore, Retention};
use mainspring_store::{OpenOptions, SqliteStore};
use serde_json::json;

use super::client::Client;
use super::clock::{asked, wall_ms};
use super::dice::Dice;
use super::dump::dump;
use super::process::Server;

/// Runs that stay.
const KEPT: u64 = 100;
/// Of what the file may be beside what its rows ask for.
const MORE: f64 = 1.2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_shrinks_when_its_runs_are_removed() {
    let runs = asked("MAINSPRING_TEST_GROWTH").unwrap_or(4_000);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(10));
    server.start().await;
    let mut client = Client::new(server.address);
    let plan = json!({"name": "Grow", "triggers": [{"type": "webhook", "path": "grow", "respond": "last_step"}], "steps": [
        {"id": "one", "action": "logic.set", "params": {"text": "${trigger.body.text}"}},
        {"id": "two", "action": "logic.set", "params": {"n": "${trigger.body.n}"}},
    ]});
    assert_eq!(client.post("/api/plans", &plan).await.unwrap().0, 201);
    assert_eq!(server.stop().await, Some(0));
    let file = server.data().join("mainspring.db");
    let size = || std::fs::metadata(&file).unwrap().len();
    let empty = size();

    server.start().await;
    let (address, text) = (server.address, "x".repeat(500));
    let senders = (0..8_u64).map(|sender| {
        let text = text.clone();
        tokio::spawn(async move {
            let mut client = Client::new(address);
            for n in (sender..runs).step_by(8) {
                let (status, answer) = client.post("/api/webhook/grow", &json!({"n": n, "text": text})).await.unwrap();
                assert_eq!((status, &answer["n"]), (200, &json!(n)));
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    assert_eq!(server.stop().await, Some(0));
    let full = size();
    let live = (full - empty) * KEPT / runs;
    // As a server does it once a minute; two hours later, for what is young stays.
    let later: Arc<dyn Clock> = Arc::new(FakeClock::at(wall_ms() + 2 * 3_600_000));
    let store = SqliteStore::open(OpenOptions::new(server.data(), later)).await.unwrap();
    let keep = Retention { max_runs: KEPT, ..Retention::default() };
    while store.prune(&keep, 200).await.unwrap() > 0 {}
    store.close().await;
    let (left, wanted) = (size(), ((empty + live) as f64 * MORE) as u64);
    // Every page is read by one of the two.
    let stay = dump(server.data(), &folder.path().join("copy")).await;
    server.run(&["backup", &folder.path().join("all.backup").display().to_string()], "");
    println!("R10: {runs} runs: {empty} bytes before, {full} with them, {left} with {KEPT} of them; {wanted} allowed");
    assert_eq!(stay.iter().filter(|run| run.status == "success").count() as u64, KEPT);
    assert!(left <= wanted, "the file has {left} bytes and may have {wanted}");
}
