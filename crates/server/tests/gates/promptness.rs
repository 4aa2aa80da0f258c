//! P1: an answer leaves only after its run is on disk. The process is killed the moment the answer is here, many times over.

use serde_json::json;

use super::client::Client;
use super::clock::wall_ms;
use super::dice::Dice;
use super::dump::dump;
use super::ledger::Ledger;
use super::plans;
use super::process::Server;

const ROUNDS: u64 = 30;

#[test]
fn what_was_answered_is_there_after_a_kill_at_once() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("p1-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::start(3).await;
        let mut server = Server::new(folder.path(), &mut Dice::new(seed));
        server.start().await;
        let mut client = Client::new(server.address);
        let mut slow = String::new();
        for kind in plans::all(&ledger.url()) {
            let (status, answer) = client.post("/api/plans", &kind.document).await.unwrap();
            assert_eq!(status, 201, "{answer}");
            if kind.name == "fan" {
                slow = answer["plan"]["id"].as_str().unwrap().to_owned();
            }
        }
        let mut told = Vec::new();
        for round in 0..ROUNDS {
            let token = format!("p1/{round}");
            // In turns: a whole run that was answered, and one that only was accepted.
            let answer = if round % 2 == 0 {
                client.post("/api/webhook/pure", &json!({"token": token, "n": round})).await
            } else {
                client.post("/api/execute", &json!({"plan_id": slow, "wait": false, "inputs": {"token": token, "n": 1}})).await
            };
            server.kill();
            let (status, answer) = answer.unwrap();
            assert!(matches!(status, 200 | 202), "{status} {answer}");
            // A webhook is answered 202 as well while a suspected run has the process for itself.
            let run = [&answer["run"], &answer["execution"]["id"], &answer["runs"][0]["id"]].into_iter().find_map(|id| id.as_str());
            told.push((run.unwrap_or_else(|| panic!("{answer}")).to_owned(), status == 200));
            server.start().await;
            client = Client::new(server.address);
        }
        server.kill();
        let runs = dump(server.data(), &folder.path().join("copy")).await;
        for (run, whole) in told {
            let found = runs.iter().find(|found| found.id == run);
            let found =
                found.unwrap_or_else(|| panic!("seed {seed}: run {run} was answered and is not there; {}", folder.path().display()));
            assert!(!whole || found.status == "success", "run {run} was answered with its output and is {}", found.status);
        }
        println!("P1: {ROUNDS} kills right after the answer, {} runs there", runs.len());
    });
}
