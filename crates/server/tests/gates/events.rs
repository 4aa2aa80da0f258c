//! Events that start plans, while the process is killed again and again: each that was answered starts its one run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Gone};
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;

const EVENTS: u32 = 240;
/// A kill after each so many.
const BETWEEN: u32 = 30;

#[test]
fn each_event_that_was_answered_starts_its_one_run() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("events-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let plan = json!({
            "name": "Heard", "triggers": [{"type": "event", "event_type": "order.paid"}],
            "steps": [{"id": "n", "action": "logic.set", "params": {"n": "${trigger.event.data.n}"}}],
        });
        let end = json!({
            "name": "After", "triggers": [{"type": "plan_finished", "plan": "Heard"}],
            "steps": [{"id": "run", "action": "logic.set", "params": {"run": "${trigger.event.data.run_id}"}}],
        });
        for plan in [plan, end] {
            let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        for n in 0..EVENTS {
            if n % BETWEEN == BETWEEN - 1 {
                pause(Duration::from_millis(dice.between(0, 25))).await;
                server.kill();
                server.start().await;
            }
            let event = json!({"type": "order.paid", "data": {"n": n}, "id": format!("0198c3f2-7a51-7cc3-9d2e-{n:012x}")});
            // Until it is answered: the same id is one event.
            while !matches!(client.post("/api/events", &event).await, Ok((202, _))) {
                client = Client::new(server.address);
            }
        }
        let began = now();
        while ended(&mut client).await != Ok(u64::from(EVENTS) * 2) {
            assert!(began.elapsed() < Duration::from_secs(60), "not all have run: {:?}; seed {seed}", ended(&mut client).await);
        }
        server.kill();
        let runs = summaries(server.data(), &folder.path().join("copy")).await;
        let mut heard: BTreeMap<u64, String> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.plan_name == "Heard") {
            let n = run.output.as_ref().and_then(|output| output["n"].as_u64()).unwrap_or_else(|| panic!("{run:?}"));
            assert_eq!(heard.insert(n, run.id.to_string()), None, "seed {seed}: event {n} has two runs");
        }
        assert!(heard.keys().copied().eq(0..u64::from(EVENTS)), "seed {seed}: {:?}", heard.keys());
        let mut after: Vec<&str> =
            runs.iter().filter(|run| run.plan_name == "After").filter_map(|run| run.output.as_ref()?["run"].as_str()).collect();
        let mut of: Vec<&str> = heard.values().map(String::as_str).collect();
        after.sort_unstable();
        of.sort_unstable();
        assert_eq!(after, of, "seed {seed}: each run's end is heard once");
        println!("events: {EVENTS} told with {} kills, {} runs, and as many of who heard their ends", EVENTS / BETWEEN, heard.len());
    });
}

/// How many runs have ended well.
async fn ended(client: &mut Client) -> Result<u64, String> {
    match client.get("/api/monitoring/status").await {
        Ok((200, status)) => Ok(status["successful"].as_u64().unwrap_or_else(|| panic!("{status}"))),
        Ok((status, answer)) => Err(format!("{status} {answer}")),
        Err(Gone) => Err(Value::Null.to_string()),
    }
}
