//! P4 and P8 over kills: schedules that are due every second, with each slot filled once, none early, none left out.

use std::collections::BTreeMap;
use std::time::Duration;

use mainspring_model::clock::Millis;
use serde_json::json;

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::dump;
use super::ledger::Ledger;
use super::oracle::RunDump;
use super::plans;
use super::process::Server;

const SCHEDULES: usize = 4;
const LASTS: Duration = Duration::from_secs(8);

#[test]
fn every_slot_is_filled_once_over_kills() {
    let seed = u64::try_from(wall_ms()).unwrap();
    println!("slots: seed {seed}");
    let folder = tempfile::Builder::new().prefix("slots-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let ledger = Ledger::start(20).await;
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let made = wall_ms();
        for n in 0..SCHEDULES {
            let mut call = plans::call("call", "call", &ledger.url());
            call["params"]["body"]["token"] = json!("${trigger.due_at}");
            let trigger = json!({"id": "tick", "type": "cron", "cron": "* * * * * *", "misfire": "fire_all"});
            let document = json!({"name": format!("every second {n}"), "triggers": [trigger], "steps": [call]});
            let (status, answer) = client.post("/api/plans", &document).await.unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        let began = now();
        let mut kills = 0;
        while began.elapsed() < LASTS {
            pause(Duration::from_millis(dice.between(1, 700))).await;
            server.kill();
            kills += 1;
            if dice.percent(15) {
                // Down for longer than a slot: what was missed is caught up with.
                pause(Duration::from_millis(dice.between(900, 1_800))).await;
            }
            server.start().await;
        }
        // Long enough for the slots of the last second, which are late by the kill only.
        let last = wall_ms() / 1_000 * 1_000;
        pause(Duration::from_millis(2_500)).await;
        server.kill();
        let runs = dump(server.data(), &folder.path().join("copy")).await;
        let (filled, late) = judge(&runs, made, last);
        println!("slots: {kills} kills, {filled} slots filled once each; late by up to {late} ms, downtime included");
        let mut calls: Vec<(String, String)> = ledger.take().into_iter().map(|call| (call.run, call.key)).collect();
        calls.sort();
        calls.dedup();
        assert!(calls.windows(2).all(|pair| pair[0].0 != pair[1].0), "a slot's run called under two keys");
    });
}

/// Slots from the first second after the plans were made until `last`; how many, and the worst lateness.
fn judge(runs: &[RunDump], made: Millis, last: Millis) -> (usize, Millis) {
    let mut slots: BTreeMap<&str, Vec<Millis>> = BTreeMap::new();
    let mut worst = 0;
    for run in runs {
        let due: jiff::Timestamp = run.due_at.as_deref().expect("only schedules start runs here").parse().unwrap();
        let due = due.as_millisecond();
        assert!(run.created_at >= due, "{}: slot {due} was filled {} ms early", run.plan, due - run.created_at);
        worst = worst.max(run.created_at - due);
        slots.entry(&run.plan).or_default().push(due);
    }
    assert_eq!(slots.len(), SCHEDULES, "every schedule fired");
    for (plan, due) in &mut slots {
        due.sort_unstable();
        // The oracle of `* * * * * *` needs no cron: all whole seconds, each once.
        let first = due[0];
        assert!(first > made && first <= made + 2_000, "{plan} began at {first}, made at {made}");
        let expected: Vec<Millis> = (0..).map(|n| first + n * 1_000).take_while(|slot| *slot <= last).collect();
        let up_to_last: Vec<Millis> = due.iter().copied().filter(|slot| *slot <= last).collect();
        assert_eq!(up_to_last, expected, "{plan}: slots are missing or filled twice");
    }
    (slots.values().map(Vec::len).sum(), worst)
}
