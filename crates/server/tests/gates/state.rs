//! State between runs, while the process is killed again and again: what the runs that succeeded left behind is there, once, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

use super::client::{Client, Gone};
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;

const RUNS: u64 = 240;
/// A kill after each so many.
const BETWEEN: u64 = 24;
/// Each so-manieth run fails behind its changes.
const FAILS: u64 = 10;

#[test]
fn what_runs_leave_behind_is_there_once() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("state-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let plan = json!({
            "name": "Counting", "inputs": {"n": {"type": "integer", "required": true}},
            "steps": [
                {"id": "runs", "action": "state.increment", "params": {"key": "runs"}},
                {"id": "sum", "action": "state.increment", "params": {"key": "sum", "by": "${inputs.n}", "scope": "organization"}},
                {"id": "new", "action": "state.unseen", "params": {"set": "seen", "items": ["${inputs.n}", "all"]}},
                {"id": "tried", "action": "state.increment", "params": {"key": "tried", "commit": "now"}},
                {"id": "taken", "action": "state.unseen", "params": {"set": "taken", "items": ["${inputs.n}", "first"], "commit": "now"}},
                {"id": "fail", "if": format!("inputs.n % {FAILS} == 3"), "action": "logic.fail", "params": {"code": "USER_ODD", "message": "odd"}},
            ],
            "output": {"n": "${inputs.n}", "tried": "${steps.tried.output}", "taken": "${steps.taken.output}"},
        });
        let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let id = answer["plan"]["id"].as_str().unwrap().to_owned();
        for n in 0..RUNS {
            if n % BETWEEN == BETWEEN - 1 {
                pause(Duration::from_millis(dice.between(0, 25))).await;
                server.kill();
                server.start().await;
                client = Client::new(server.address);
            }
            let start = json!({"plan_id": id, "inputs": {"n": n}, "wait": false});
            let key = format!("run-{n}");
            // Until it is answered: the same key is one run.
            while !matches!(client.send("POST", "/api/execute", Some(&start), Some(&key)).await, Ok((200 | 202, _))) {
                client = Client::new(server.address);
            }
        }
        let began = now();
        while ended(&mut client).await != Ok(RUNS) {
            assert!(began.elapsed() < Duration::from_secs(60), "not all have run: {:?}; seed {seed}", ended(&mut client).await);
        }
        let get = async |client: &mut Client, path: String| match client.get(&path).await {
            Ok((200, answer)) => answer,
            other => panic!("{path}: {other:?}"),
        };
        let own = get(&mut client, format!("/api/state?plan_id={id}")).await;
        let shared = get(&mut client, "/api/state/sum".to_owned()).await;
        server.kill();
        let runs = summaries(server.data(), &folder.path().join("copy")).await;
        assert_eq!(runs.len() as u64, RUNS, "seed {seed}");
        let well: Vec<&Value> = runs.iter().filter(|run| run.status == RunStatus::Success).filter_map(|run| run.output.as_ref()).collect();
        let succeeded = well.len() as u64;
        assert_eq!(succeeded, RUNS - RUNS / FAILS, "seed {seed}");
        let sum: u64 = well.iter().filter_map(|output| output["n"].as_u64()).sum();
        let of = |key: &str| own["state"].as_array().unwrap().iter().find(|one| one["key"] == key).map(|one| one["value"].clone());
        let items = |set: &str| own["sets"].as_array().unwrap().iter().find(|one| one["set"] == set).and_then(|one| one["items"].as_u64());
        assert_eq!(of("runs"), Some(json!(succeeded)), "seed {seed}: each run that succeeded counts once, and no other");
        assert_eq!(shared["state"]["value"], json!(sum), "seed {seed}");
        assert_eq!(of("tried"), Some(json!(RUNS)), "seed {seed}: written at once, whatever became of the run, and once");
        assert_eq!((items("seen"), items("taken")), (Some(succeeded + 1), Some(RUNS + 1)), "seed {seed}");
        let numbers: BTreeSet<u64> = well.iter().filter_map(|output| output["tried"].as_u64()).collect();
        assert_eq!(numbers.len() as u64, succeeded, "seed {seed}: no two steps got the same number");
        let firsts = well.iter().filter(|output| output["taken"].as_array().is_some_and(|taken| taken.contains(&json!("first")))).count();
        assert!(firsts <= 1, "seed {seed}: one run at most got what all of them asked for");
        println!("state: {RUNS} runs with {} kills: {succeeded} succeeded, the sum of {sum} is exact", RUNS / BETWEEN);
    });
}

/// How many runs have ended.
async fn ended(client: &mut Client) -> Result<u64, String> {
    match client.get("/api/monitoring/status").await {
        Ok((200, status)) => Ok(status["successful"].as_u64().unwrap_or_default() + status["failed"].as_u64().unwrap_or_default()),
        Ok((status, answer)) => Err(format!("{status} {answer}")),
        Err(Gone) => Err(Value::Null.to_string()),
    }
}
