//! R8: a host that fails for a while, and five thousand runs that want it: it is asked little while it is away, found when it is back, not run
//! over then, and no run is lost. `MAINSPRING_TEST_HERD=5000` is the long form.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{asked, now, pause};
use super::dice::Dice;
use super::process::Server;
use crate::servers::server::{Server as Outside, reply};

/// The circuit opens after so many failures; what is in flight then fails beside them.
const OPENS_AFTER: usize = 10;
/// Between two tries of a host that is away, but for what a busy machine adds to one and takes from the other.
const PROBES_APART: Duration = Duration::from_millis(900);
/// A host that is back is found within this.
const FOUND_WITHIN: Duration = Duration::from_secs(31);

/// A call as the host saw it: when, whose, and whether it was answered.
type Calls = Arc<Mutex<Vec<(Instant, String, bool)>>>;

/// The most calls within a second; what is usual is what the same herd does to a host that is there.
fn peak(times: &[Instant]) -> usize {
    (0..times.len())
        .map(|from| times[from..].iter().take_while(|at| **at - times[from] < Duration::from_secs(1)).count())
        .max()
        .unwrap_or(0)
}

/// Callers that start runs side by side.
const STARTERS: u64 = 16;

/// Starts all of them as fast as they are taken.
async fn start(address: SocketAddr, plan: &Value, runs: Range<u64>) -> Vec<String> {
    let starters = (0..STARTERS).map(|starter| {
        let (plan, mine) = (plan.clone(), (runs.start + starter..runs.end).step_by(STARTERS as usize));
        tokio::spawn(async move {
            let (mut client, mut started) = (Client::new(address), Vec::new());
            for n in mine {
                let (status, begun) =
                    client.post("/api/execute", &json!({"plan_id": plan, "wait": false, "inputs": {"n": n}})).await.unwrap();
                assert!(matches!(status, 200 | 202), "{begun}");
                started.push(begun["execution"]["id"].as_str().unwrap().to_owned());
            }
            started
        })
    });
    let mut all = Vec::new();
    for starter in starters.collect::<Vec<_>>() {
        all.extend(starter.await.unwrap());
    }
    all
}

async fn all_succeed(client: &mut Client, runs: &[String], within: Duration) {
    let began = now();
    for run in runs {
        loop {
            let (_, found) = client.get(&format!("/api/runs/{run}")).await.unwrap();
            match found["run"]["status"].as_str().unwrap() {
                "success" => break,
                "running" | "queued" | "waiting" => assert!(began.elapsed() < within, "{run} goes on: {found}"),
                other => panic!("{run} is in {other}: {found}"),
            }
            pause(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_away_is_found_and_not_run_over() {
    let herd = asked("MAINSPRING_TEST_HERD").unwrap_or(600);
    let away_for = Duration::from_secs(if herd > 600 { 20 } else { 8 });
    let (away, calls) = (Arc::new(AtomicBool::new(false)), Calls::default());
    let outside = Outside::start({
        let (away, calls) = (away.clone(), calls.clone());
        move |asked| {
            let answered = !away.load(Ordering::Acquire);
            calls.lock().unwrap().push((now(), asked.path.clone(), answered));
            if answered { reply(200, &[], "here") } else { reply(503, &[], "away") }
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(8));
    server.start().await;
    let mut client = Client::new(server.address);
    let plan = json!({"name": "Herd", "inputs": {"n": {"type": "integer", "required": true}},
        "steps": [{"id": "ask", "action": "http.get", "params": {"url": outside.url("/${inputs.n}"), "response": "text"}}]});
    let (status, saved) = client.post("/api/plans", &plan).await.unwrap();
    assert_eq!(status, 201, "{saved}");
    let plan = saved["plan"]["id"].clone();

    let healthy = start(server.address, &plan, 0..herd).await;
    all_succeed(&mut client, &healthy, Duration::from_secs(60)).await;
    let usual = peak(&calls.lock().unwrap().iter().map(|call| call.0).collect::<Vec<_>>());

    away.store(true, Ordering::Release);
    let began = now();
    let waiting = start(server.address, &plan, herd..2 * herd).await;
    pause(away_for.saturating_sub(began.elapsed())).await;
    away.store(false, Ordering::Release);
    let back = now();
    all_succeed(&mut client, &waiting, Duration::from_secs(180)).await;

    let calls = calls.lock().unwrap();
    let failed: Vec<Instant> = calls.iter().filter(|call| !call.2).map(|call| call.0).collect();
    let opened = failed.iter().position(|at| *at - failed[0] > Duration::from_millis(900)).unwrap_or(failed.len());
    let probes = &failed[opened.min(failed.len() - 1)..];
    let apart = probes.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(Duration::MAX);
    let after: Vec<Instant> = calls.iter().filter(|call| call.2 && call.0 >= back).map(|call| call.0).collect();
    let (found, recovery) = (after[0] - back, peak(&after));
    println!(
        "R8: {herd} runs, away for {away_for:?}: {opened} calls until the circuit was open, then {} probes at least {apart:?} apart; found after \
         {found:?}, at most {recovery} calls a second then, {usual} before",
        probes.len()
    );
    assert!(opened <= OPENS_AFTER + 64, "{opened} calls went out before the circuit opened");
    assert!(apart >= PROBES_APART, "two tries were {apart:?} apart");
    assert!(found <= FOUND_WITHIN, "found after {found:?}");
    assert!(recovery <= usual * 2, "{recovery} calls in a second; {usual} are usual");
    let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
    calls.iter().filter(|call| call.2).for_each(|call| *answered.entry(call.1.as_str()).or_default() += 1);
    assert_eq!(answered.len() as u64, 2 * herd, "every run was answered");
    assert!(answered.values().all(|times| *times == 1), "and once");
}
