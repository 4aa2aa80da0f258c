//! R7: plans that kill the process, and plans that burn its processors, do not take the others with them.

use std::collections::BTreeSet;
use std::time::Duration;

use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Paging, RunFilter};
use serde_json::json;

use super::client::Client;
use super::clock::now;
use super::crash::node::Node;
use super::dice::Dice;
use super::poison::{Folder, NEIGHBOUR};
use super::process::Server;

/// Runs of which one in each hundred kills.
const RUNS: usize = 2_000;
const DEADLY: usize = 10;
/// Each in flight at two crashes, which they may share, and then at three alone.
const LIVES: usize = 5 * DEADLY;

/// Its clock runs fast, so the step says that it may take long.
const POISON: &str = "
name: poison
steps:
  - {id: die, action: t.die, timeout: 30d, params: {name: die}}
";

/// Which of these have ended, and how.
async fn ends(node: &Node, of: &[RunId]) -> Vec<Option<RunStatus>> {
    let store = node.engine.store();
    let mut found = Vec::with_capacity(of.len());
    for run in of {
        found.push(store.ending(*run).await.unwrap().map(|ending| ending.status));
    }
    found
}

#[test]
fn ten_runs_that_kill_among_two_thousand_are_quarantined() {
    let folder = Folder::new();
    let ((deadly, harmless), _) = folder.live(&[], async |node, script| {
        node.go_on().await;
        let (poison, neighbour) = (node.save(POISON).await, node.save(NEIGHBOUR).await);
        let (mut deadly, mut harmless) = (Vec::new(), Vec::new());
        for number in 0..RUNS {
            let kills = number % (RUNS / DEADLY) == 0;
            let mut handle = node.start(if kills { poison } else { neighbour }, &json!({})).await;
            let run = handle.accepted().await.unwrap();
            if kills { &mut deadly } else { &mut harmless }.push(run);
        }
        script.deadly.subscribe().wait_for(|count| *count > 0).await.unwrap();
        (deadly, harmless)
    });
    let mut lives = 1;
    loop {
        let (over, _) = folder.live(&[], async |node, script| {
            node.go_on().await;
            let mut died = script.deadly.subscribe();
            loop {
                if ends(node, &deadly).await.iter().all(Option::is_some) {
                    // The last of the others end.
                    for run in &harmless {
                        node.end_of(*run).await.unwrap();
                    }
                    return true;
                }
                let dies = tokio::time::timeout(Duration::from_millis(20), died.wait_for(|count| *count > 0)).await;
                if dies.is_ok() {
                    return false;
                }
            }
        });
        if over {
            break;
        }
        lives += 1;
        assert!(lives <= LIVES, "after {lives} crashes some are still not quarantined");
    }
    let (counted, _) = folder.live(&[], async |node, _| {
        let (killed, ended) = (ends(node, &deadly).await, ends(node, &harmless).await);
        let all = node.engine.store().list_runs(OrgId::LOCAL, &RunFilter::default(), &Paging { limit: 200, cursor: None }).await.unwrap();
        (killed, ended, all.items.len())
    });
    assert_eq!(counted.0, vec![Some(RunStatus::Quarantined); DEADLY]);
    assert_eq!(counted.1.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&Some(RunStatus::Success)]));
    println!("R7: {DEADLY} of {RUNS} quarantined after {lives} crashes, the others ended");
}

/// Requests that are timed, one after another.
const TIMED: usize = 300;
/// Steps that never end by themselves, at once.
const HOGS: usize = 8;

/// The 99th percentile of a small run's whole way, started by a call that waits for it.
async fn p99(client: &mut Client) -> Duration {
    let mut times = Vec::with_capacity(TIMED);
    for n in 0..TIMED {
        let began = now();
        let (status, answer) = client.post("/api/webhook/small", &json!({"n": n})).await.unwrap();
        assert_eq!((status, &answer), (200, &json!(n)));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[TIMED * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_burn_the_processors_do_not_slow_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(7));
    server.start().await;
    let mut client = Client::new(server.address);
    let small = json!({"name": "Small", "triggers": [{"type": "webhook", "path": "small", "respond": "last_step"}],
        "steps": [{"id": "n", "action": "logic.transform", "params": {"template": "${trigger.body.n}"}}]});
    let hog = json!({"name": "Hog", "inputs": {"kind": {"type": "string"}}, "steps": [{"id": "burn", "action": "code.javascript", "timeout": "1m",
        "retry": {"max_attempts": 1}, "params": {"timeout": "4s", "code": "for (;;) {}"}}]});
    let mut ids = Vec::new();
    for plan in [&small, &hog] {
        let (status, saved) = client.post("/api/plans", plan).await.unwrap();
        assert_eq!(status, 201, "{saved}");
        ids.push(saved["plan"]["id"].clone());
    }
    p99(&mut client).await;
    let alone = p99(&mut client).await;
    let mut hogs = Vec::new();
    for _ in 0..HOGS {
        let (status, begun) = client.post("/api/execute", &json!({"plan_id": ids[1], "wait": false})).await.unwrap();
        assert_eq!(status, 202, "{begun}");
        hogs.push(begun["execution"]["id"].as_str().unwrap().to_owned());
    }
    let beside = p99(&mut client).await;
    let mut burnt = 0;
    for run in &hogs {
        loop {
            let (_, found) = client.get(&format!("/api/runs/{run}")).await.unwrap();
            match found["run"]["status"].as_str().unwrap() {
                "error" => break burnt += usize::from(found["run"]["error"]["code"] == "TIMEOUT"),
                "running" | "queued" => super::clock::pause(Duration::from_millis(50)).await,
                other => panic!("{run} is in {other}: {found}"),
            }
        }
    }
    println!("R7: p99 {alone:?} alone, {beside:?} beside {HOGS} steps that burn, {burnt} of them timed out");
    assert_eq!(burnt, HOGS, "each ends by its own time");
    // Some milliseconds are the machine's own: a fraction of its scheduler's turn.
    assert!(beside <= alone * 2 + Duration::from_millis(8), "{beside:?} beside them, {alone:?} alone");
    assert!(!server.log().contains("lease"), "no lease is in doubt: {}", server.log());
}
