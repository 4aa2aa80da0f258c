//! Polling a service whose list moves, while the process is killed again and again: each item has exactly one run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;
use crate::servers;

/// Items in the end, of which the service shows a window in an order of its own.
const ITEMS: u64 = 600;
const WINDOW: u64 = 250;
/// New ones with each answer.
const STEP: u64 = 7;
const KILLS: u32 = 6;

#[test]
fn each_item_of_a_list_that_moves_has_its_one_run() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("polls-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let answered = Arc::new(AtomicU64::new(0));
        let counted = answered.clone();
        let service = servers::server::Server::start(move |_| {
            let answer = counted.fetch_add(1, Ordering::Relaxed);
            let last = (20 + answer * STEP).min(ITEMS);
            let first = last.saturating_sub(WINDOW);
            // Neither in order nor twice in the same one; some stand there twice.
            let count = last - first;
            let items: Vec<Value> = (0..count + 3).map(|n| json!({"id": first + (n * 89 + answer * 31) % count})).collect();
            servers::server::json(200, &json!({"items": items}))
        })
        .await;
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        for per in ["item", "batch"] {
            let plan = json!({
                "name": per,
                "triggers": [{"id": "feed", "type": "poll", "action": "http.request", "params": {"url": service.url("/items")}, "every": "1s",
                    "items": "output.items", "dedupe_key": "item.id", "per": per, "first": "all"}],
                "steps": [{"id": "n", "action": "logic.set", "params": {"seen": if per == "item" { "${[trigger.item]}" } else { "${trigger.items}" }}}],
            });
            let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        let began = now();
        for kill in 1..=KILLS {
            // Killed at any moment of a look, and only when a further answer came in between.
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 4 {
                assert!(began.elapsed() < Duration::from_secs(180), "nobody polls after kill {kill}; seed {seed}\n{}", server.log());
                pause(Duration::from_millis(5)).await;
            }
            pause(Duration::from_millis(dice.between(0, 40))).await;
            server.kill();
            server.start().await;
        }
        let copies = folder.path().join("copy");
        let mut client = Client::new(server.address);
        // The service shows everything by now, or will after a few more answers.
        let need = ITEMS / STEP + 10;
        while answered.load(Ordering::Relaxed) < need {
            assert!(began.elapsed() < Duration::from_secs(420), "polling is too slow: {answered:?} of {need}; seed {seed}");
            pause(Duration::from_millis(50)).await;
        }
        let (status, jobs) = client.get("/api/scheduler/jobs").await.unwrap();
        assert_eq!((status, jobs["jobs"][0]["failures"].clone(), jobs["jobs"][0]["trigger"].clone()), (200, json!(0), json!("poll every 1s")), "{jobs}");
        loop {
            let (_, status) = client.get("/api/monitoring/status").await.unwrap();
            if status["running"] == json!(0) && status["queued"] == json!(0) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(420), "not all have run: {status}; seed {seed}");
            pause(Duration::from_millis(50)).await;
        }
        server.stop().await;
        let runs = summaries(server.data(), &copies).await;
        for per in ["item", "batch"] {
            let mut seen: BTreeMap<u64, String> = BTreeMap::new();
            for run in runs.iter().filter(|run| run.plan_name == per) {
                let output = run.output.as_ref().unwrap_or_else(|| panic!("seed {seed}: {run:?}"));
                for item in output["seen"].as_array().unwrap() {
                    let before = seen.insert(item["id"].as_u64().unwrap(), run.id.to_string());
                    assert_eq!(before, None, "seed {seed}: {item} has two runs of \"{per}\"");
                }
            }
            let last = *seen.last_key_value().unwrap().0;
            assert!(seen.keys().copied().eq(0..=last), "seed {seed}: some have no run of \"{per}\": {:?}", seen.keys());
            assert!(last + 1 >= 500, "seed {seed}: only {last}");
            println!("poll per {per}: {} items in {} runs, {KILLS} kills, {} answers", last + 1, runs.iter().filter(|run| run.plan_name == per).count(), answered.load(Ordering::Relaxed));
        }
    });
}
