//! Waits cost no memory, an event wakes its run at once, and one that was accepted is not lost by a kill.
//!
//! `MAINSPRING_TEST_WAITS=1000000` is the long form.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{asked, now, pause, wall_ms};
use super::dice::Dice;
use super::process::Server;

/// Runs that wait, unless the environment says how many.
const WAITS: usize = 4_000;
const CLIENTS: usize = 8;
/// Events whose runs are timed.
const EVENTS: usize = 200;
/// Events that are accepted right before a kill.
const KILLED: usize = 40;
/// What all waits together may add to an idle process, in KiB.
const MOST_MEMORY: u64 = 10 << 10;

fn waits() -> usize {
    asked("MAINSPRING_TEST_WAITS").map_or(WAITS, |asked| usize::try_from(asked).unwrap())
}

/// Starts the runs `from..to`, each with its own number; their ids in that order.
async fn start(server: &Server, plan: &str, from: usize, to: usize) -> Vec<String> {
    let mut client = Client::new(server.address);
    let mut ids = Vec::with_capacity(to - from);
    for n in from..to {
        let (status, answer) = client.post("/api/execute", &json!({"plan_id": plan, "wait": false, "inputs": {"n": n}})).await.unwrap();
        assert_eq!(status, 202, "{answer}");
        ids.push(answer["execution"]["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn settled(client: &mut Client) {
    loop {
        let (_, status) = client.get("/api/monitoring/status").await.unwrap();
        if status["running"] == json!(0) && status["queued"] == json!(0) {
            return;
        }
        pause(Duration::from_millis(20)).await;
    }
}

async fn tell(client: &mut Client, n: usize) -> Value {
    let (status, answer) = client.post("/api/events", &json!({"type": "order.paid", "data": {"n": n}})).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    answer
}

/// Until the run has ended; how long that took.
async fn ends(client: &mut Client, run: &str) -> Duration {
    let began = now();
    loop {
        let (_, answer) = client.get(&format!("/api/runs/{run}")).await.unwrap();
        if answer["run"]["status"] == json!("success") {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "run {run} was told of its event and does not end: {answer}");
        pause(Duration::from_millis(1)).await;
    }
}

#[test]
fn many_runs_wait_as_rows_and_each_is_woken_by_its_own_event() {
    let folder = tempfile::Builder::new().prefix("waiting-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let count = waits();
        let mut dice = Dice::new(u64::try_from(wall_ms()).unwrap());
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let steps = json!([{"id": "w", "action": "logic.wait_for_event", "params": {"type": "order.paid", "where": "event.data.n == inputs.n"}}]);
        let plan = json!({"name": "Waits", "inputs": {"n": {"type": "integer", "required": true}}, "steps": steps});
        let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let plan = answer["plan"]["id"].as_str().unwrap().to_owned();
        server.stop().await;
        server.start().await;
        let empty = server.resident();
        let share = count.div_ceil(CLIENTS);
        let starts = (0..CLIENTS).map(|at| start(&server, &plan, (at * share).min(count), ((at + 1) * share).min(count)));
        let runs: Vec<String> = futures_util::future::join_all(starts).await.into_iter().flatten().collect();
        client = Client::new(server.address);
        settled(&mut client).await;
        // A new process: what the starts themselves took is not what the waits cost.
        server.stop().await;
        server.start().await;
        client = Client::new(server.address);
        settled(&mut client).await;
        let waiting = server.resident();
        let mut woken = Vec::with_capacity(EVENTS);
        for at in 0..EVENTS {
            let n = at * (count / (EVENTS + KILLED));
            let answer = tell(&mut client, n).await;
            assert_eq!(answer["woken"], json!(1), "its own run and no other: {answer}");
            woken.push(ends(&mut client, &runs[n]).await);
        }
        woken.sort_unstable();
        let (p50, p99) = (woken[EVENTS / 2], woken[EVENTS * 99 / 100]);
        let killed: Vec<usize> = (EVENTS..EVENTS + KILLED).map(|at| at * (count / (EVENTS + KILLED))).collect();
        for n in &killed {
            tell(&mut client, *n).await;
        }
        server.kill();
        server.start().await;
        client = Client::new(server.address);
        for n in &killed {
            ends(&mut client, &runs[*n]).await;
        }
        let added = waiting.saturating_sub(empty);
        println!("{count} waits: {empty} KiB idle without, {waiting} KiB with them; woken after {p50:?} (p50), {p99:?} (p99); {KILLED} events before a kill: 0 lost");
        assert!(added <= MOST_MEMORY, "{count} waits take {added} KiB of an idle process");
        assert!(p99 <= Duration::from_secs(1), "woken after {p99:?} (p99)");
    });
}
