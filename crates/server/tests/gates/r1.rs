//! R1: `kill -9` of the real program under load, 200 times or as often as asked, judged by the oracle.
//!
//! `cargo x chaos r1 --kills N --seed S` runs the long form on the release build. A seed repeats all choices (delays, clients,
//! plans); what the machine makes of them in real time it cannot repeat.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;

use super::client::Client;
use super::clock::{asked, now, pause, wall_ms};
use super::dice::Dice;
use super::dump::dump;
use super::last::{last_operations, said};
use super::ledger::Ledger;
use super::load::{self, Load};
use super::oracle::{Broken, Floor, Kill, Records, judge};
use super::plans;
use super::process::Server;

const KILLS: u64 = 200;
const STEPS: usize = 20_000;
/// With more kills than this, clients take their time: 1,500 kills at full speed are 3,700,000 steps to remember.
const LONG: u64 = 2_000;
/// Of the kills, in percent: at least so many meet a call or a request in flight.
const HITS: usize = 60;
/// Of the kills, in percent: aimed at the start itself, before anybody was served.
const EARLY: u64 = 10;
/// All runs end within this after the last kill.
const SETTLE: Duration = Duration::from_secs(30);

#[test]
fn two_hundred_kills_lose_nothing() {
    let kills = asked("MAINSPRING_CHAOS_KILLS").unwrap_or(KILLS);
    let seed = asked("MAINSPRING_CHAOS_SEED").unwrap_or_else(|| u64::try_from(wall_ms()).unwrap());
    let folder = tempfile::Builder::new().prefix("r1-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("R1: seed {seed}, {kills} kills");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let floor = Floor {
        acked_steps: STEPS,
        kills: usize::try_from(kills).unwrap(),
        hits: HITS,
        settle_ms: u64::try_from(SETTLE.as_millis()).unwrap(),
    };
    let (records, said) = runtime.block_on(gate(folder.path(), seed, kills));
    let mut broken = judge(&records, &floor);
    broken.extend(said);
    report(&records);
    if !broken.is_empty() {
        let kept = folder.keep();
        std::fs::write(kept.join("records.json"), serde_json::to_vec_pretty(&records).unwrap()).unwrap();
        let shown: Vec<String> = broken.iter().take(20).map(ToString::to_string).collect();
        panic!("seed {seed}: {} broken promises; data, log and records are kept in {}\n{}", broken.len(), kept.display(), shown.join("\n"));
    }
}

async fn gate(folder: &Path, seed: u64, kills: u64) -> (Records, Vec<Broken>) {
    let dice = Dice::new(seed);
    let mut delays = dice.fork("delays");
    let ledger = Ledger::start(20).await;
    let mut server = Server::new(folder, &mut dice.fork("port"));
    let pace = if kills > LONG { Duration::from_millis(60) } else { Duration::ZERO };
    let load = Load::new(server.address, pace);
    let began = now();
    let mut starts = vec![server.start().await];
    let watched = plans::keep(server.address, &ledger.url()).await;
    let clients = load::clients(&load, &dice, "", &watched, &[("pure", 3), ("calls", 4)], 4);
    let mut records = Records::default();
    let mut life = 1;
    // On a busy machine it takes more kills to hit and to do enough; the checks stay the same.
    let enough =
        |records: &Records| u64::try_from(records.kills.len()).unwrap() >= kills && records.hits() * 100 >= records.kills.len() * HITS;
    let most = 2 * usize::try_from(kills).unwrap();
    while records.kills.len() < most && (!enough(&records) || load.acked_steps() < STEPS) {
        let delay = Duration::from_millis(delays.between(1, 250));
        if life > 1 {
            server.spawn();
            if delays.percent(EARLY) {
                // The start itself is hit, whatever it was at.
                pause(delay).await;
            } else {
                starts.push(server.ready().await);
                load.announce(life);
                pause(delay).await;
            }
        } else {
            load.announce(life);
            pause(delay).await;
        }
        records.kills.push(Kill { at: wall_ms(), calls_open: ledger.open(), requests_open: load.requests_open() });
        if !server.kill() {
            load.refuse(format!("process {life} ended by itself"));
        }
        ledger.settle().await;
        life += 1;
    }
    let last_kill = now();
    println!("R1: {} kills in {:.1} s", records.kills.len(), (last_kill - began).as_secs_f64());
    starts.push(server.start().await);
    load.announce(life);
    load.stop();
    records.settled_ms = settled(&server, clients, last_kill).await;
    records.last = last_operations(&load, &dice, "last").await;
    let memory = server.log();
    server.kill();
    ledger.settle().await;
    records.first = dump(server.data(), &folder.join("first")).await;
    starts.push(server.start().await);
    // One request that the queue's first look has passed by.
    Client::new(server.address).get("/api/monitoring/status").await.unwrap();
    server.kill();
    records.second = dump(server.data(), &folder.join("second")).await;
    (records.acks, records.calls, records.refusals) = (load.acks(), ledger.take(), load.refusals());
    starts.sort();
    let rank = |percent: usize| starts[(starts.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    println!("R1: ready after start: p50 {:.0} ms, p99 {:.0} ms ({} starts)", rank(50), rank(99), starts.len());
    println!("R1: runs taken up after a crash: {}", recovered(&memory));
    (records, said(&memory))
}

/// Waits until the clients have seen all their runs end and the server has no open one; how long after the last kill.
async fn settled(server: &Server, mut clients: JoinSet<()>, last_kill: std::time::Instant) -> Option<u64> {
    let all_ended = async {
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        let mut client = Client::new(server.address);
        for status in ["queued", "running", "waiting"] {
            loop {
                match client.get(&format!("/api/runs?limit=1&status={status}")).await {
                    Ok((200, answer)) if answer["runs"].as_array().is_some_and(Vec::is_empty) => break,
                    _ => pause(Duration::from_millis(10)).await,
                }
            }
        }
    };
    let ended = tokio::time::timeout(SETTLE, all_ended).await;
    ended.ok().map(|()| u64::try_from(last_kill.elapsed().as_millis()).unwrap())
}

/// The sum of what each start said that it took up.
fn recovered(log: &str) -> u64 {
    let counts =
        log.lines().filter(|line| line.contains("runs of the process before go on")).filter_map(|line| line.split("count=").nth(1));
    counts.filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

fn report(records: &Records) {
    let ended = |status: &str| records.first.iter().filter(|run| run.status == status).count();
    let extra = records.calls.iter().filter(|call| call.nth > 1).count();
    println!("R1: {} kills, {} hit work in flight", records.kills.len(), records.hits());
    println!(
        "R1: {} steps of {} runs acknowledged; {} runs in the journal",
        records.acked_steps(),
        records.acks.len(),
        records.first.len()
    );
    println!("R1: {} success, {} needs_decision, {} quarantined", ended("success"), ended("needs_decision"), ended("quarantined"));
    println!("R1: {} ledger calls, {extra} of them repeated after a kill", records.calls.len());
    println!("R1: settled {:?} ms after the last kill", records.settled_ms);
}
