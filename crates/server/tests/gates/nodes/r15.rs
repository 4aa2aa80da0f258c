//! R15: rolling restarts of all nodes under load: each is told to end, waited for and started again; nobody notices.
//!
//! `cargo x chaos r15 --minutes N --seed S` runs the long form on the release build.

use std::path::Path;

use super::cluster::Cluster;
use super::r2::PRESSURE;
use super::{faults, gate, verdict};
use crate::gates::dice::Dice;
use crate::gates::oracle::{Broken, Floor, Records};
use crate::postgres::database::Database;

const ROUNDS: u64 = 10;
const STEPS: usize = 1_000;
const HITS: usize = 60;

#[test]
fn rolling_restarts_are_not_noticed() {
    let rounds = gate::minutes().map_or(ROUNDS, |minutes| minutes * 15);
    let kills = usize::try_from(rounds).unwrap() * super::cluster::NODES;
    let floor = Floor { acked_steps: STEPS, kills, hits: HITS, settle_ms: 30_000 };
    gate::under_load("R15", &floor, async |folder, dice| roll(folder, dice, rounds).await);
}

async fn roll(folder: &Path, dice: &Dice, rounds: u64) -> (Records, Vec<Broken>) {
    let cluster = Cluster::new(folder, Database::make(), dice, PRESSURE.pace, |_| Vec::new()).await;
    let clients = cluster.open(&PRESSURE).await;
    for _ in 0..rounds {
        for member in &cluster.members {
            faults::stop(&cluster, &mut *member.lock().await).await;
        }
    }
    let (records, signed) = cluster.close(clients).await;
    let (logs, faults) = (cluster.logs().await, cluster.faults.lock().unwrap().clone());
    let waits = verdict::takeovers(&faults, &signed);
    verdict::report("R15", &cluster, &records, &waits, verdict::refused(&logs));
    let mut found = verdict::healthy(&cluster, &faults);
    found.extend(verdict::takeover_in_time(&waits));
    // Whoever ends in order has seen what became of its attempts.
    let undecided = records.first.iter().filter(|run| run.status == "needs_decision");
    found.extend(undecided.map(|run| Broken { rule: "undecided", text: format!("run {} of {} met no crash", run.id, run.plan) }));
    found.extend(logs.iter().flat_map(|log| verdict::said(log, &["SHUTTING_DOWN"])));
    (records, found)
}
