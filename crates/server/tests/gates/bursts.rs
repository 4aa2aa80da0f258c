//! Bursts of webhooks, while the process is killed again and again: each delivery is in exactly one burst, and each burst has one run that ran.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainspring_model::run::{RunStatus, RunSummary};
use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;

const DELIVERIES: u32 = 400;
const KEYS: u32 = 20;
/// A kill after each so many.
const BETWEEN: u32 = 70;
const SIZE: usize = 8;
const TOGETHER: u32 = 5;

/// Several of a key come one after the other, and again a while later.
fn key_of(n: u32) -> u32 {
    n / TOGETHER % KEYS
}

fn plan(name: &str, how: &str, together: &Value) -> Value {
    let mut trigger = json!({"id": "hook", "type": "webhook", "path": name, "dedupe": "${trigger.body.n}"});
    trigger[how] = together.clone();
    json!({
        "name": name,
        "triggers": [trigger],
        "steps": [
            {"id": "nap", "action": "logic.sleep", "params": {"for": "5ms"}},
            {"id": "seen", "action": "logic.set", "params": {"all": "${trigger.batch?.map(f => f.body.n) ?? [trigger.body.n]}"}},
        ],
        "output": {"seen": "${steps.seen.output.all}"},
    })
}

#[test]
fn no_kill_loses_a_delivery_or_runs_one_twice() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("bursts-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let key = "${trigger.body.key}";
        let plans = [
            plan("quiet", "debounce", &json!({"for": "400ms", "max": "3s", "key": key})),
            plan("lot", "batch", &json!({"size": SIZE, "within": "1500ms", "key": key})),
        ];
        for plan in &plans {
            let (status, answer) = client.post("/api/plans", plan).await.unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        let (mut kills, mut runs) = (0, BTreeMap::new());
        for n in 0..DELIVERIES {
            if n % BETWEEN == BETWEEN - 1 {
                pause(Duration::from_millis(dice.between(0, 60))).await;
                server.kill();
                kills += 1;
                server.start().await;
                client = Client::new(server.address);
            }
            for plan in ["quiet", "lot"] {
                // Until it is answered: the same `n` is one delivery.
                let run = loop {
                    match client.post(&format!("/api/webhook/{plan}"), &json!({"n": n, "key": key_of(n)})).await {
                        Ok((202, answer)) => break answer["runs"][0]["id"].as_str().unwrap().to_owned(),
                        Ok(other) => panic!("seed {seed}: {other:?}"),
                        Err(_) => client = Client::new(server.address),
                    }
                };
                runs.insert(run, (plan, n));
            }
        }
        let began = now();
        loop {
            let seen = client.get("/api/monitoring/status").await;
            if matches!(&seen, Ok((200, status)) if status["successful"] == 2 * DELIVERIES) {
                break;
            }
            // Meanwhile it dies once more, with bursts open.
            if kills == DELIVERIES / BETWEEN {
                pause(Duration::from_millis(dice.between(0, 400))).await;
                server.kill();
                kills += 1;
                server.start().await;
                client = Client::new(server.address);
            }
            assert!(began.elapsed() < Duration::from_secs(120), "not all have ended: {seen:?}; seed {seed}");
            pause(Duration::from_millis(20)).await;
        }
        server.kill();
        let found = summaries(server.data(), &folder.path().join("copy")).await;
        let (bursts, most) = accounted(&found, &runs, seed);
        println!("bursts: {DELIVERIES} deliveries to each of two plans over {KEYS} keys with {kills} kills: {bursts:?} runs, at most {most} in one");
        assert!(bursts.values().all(|runs| *runs < DELIVERIES as usize / 2), "nothing came together");
    });
}

/// How many runs each plan's deliveries came to, and the most deliveries of one.
fn accounted(found: &[RunSummary], runs: &BTreeMap<String, (&'static str, u32)>, seed: u64) -> (BTreeMap<String, usize>, usize) {
    assert_eq!(found.len(), runs.len(), "seed {seed}: a delivery has another number of runs than one");
    let (mut merged, mut bursts): (BTreeMap<String, BTreeSet<u32>>, BTreeMap<String, usize>) = Default::default();
    let output = |run: &RunSummary| run.output.clone().unwrap_or_default();
    let into =
        |run: &RunSummary| output(run).get("debounced_into").or(output(run).get("batched_into")).and_then(Value::as_str).map(str::to_owned);
    for run in found {
        assert_eq!(run.status, RunStatus::Success, "seed {seed}: {run:?}");
        let (plan, n) = runs[&run.id.to_string()];
        assert_eq!(run.plan_name, plan);
        if let Some(into) = into(run) {
            merged.entry(into).or_default().insert(n);
        }
    }
    let mut most = 0;
    for run in found.iter().filter(|run| into(run).is_none()) {
        let (plan, n) = runs[&run.id.to_string()];
        *bursts.entry(plan.to_owned()).or_default() += 1;
        let mut own = merged.remove(&run.id.to_string()).unwrap_or_default();
        own.insert(n);
        assert!(own.iter().all(|other| key_of(*other) == key_of(n)), "seed {seed}: keys were mixed: {own:?}");
        let seen: BTreeSet<u32> =
            output(run)["seen"].as_array().unwrap().iter().map(|n| u32::try_from(n.as_u64().unwrap()).unwrap()).collect();
        if plan == "lot" {
            assert_eq!(seen, own, "seed {seed}: {run:?}");
            assert!(own.len() <= SIZE, "seed {seed}: {own:?}");
        } else {
            assert_eq!((seen, own.last()), (BTreeSet::from([n]), Some(&n)), "seed {seed}: it is not the last of {own:?}");
        }
        most = most.max(own.len());
    }
    assert!(merged.is_empty(), "seed {seed}: merged into runs that did not run: {merged:?}");
    (bursts, most)
}
