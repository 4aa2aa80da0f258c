//! R2: three nodes under load, one killed every three seconds and some stopped for twice their lease; nothing is lost or doubled.
//!
//! `cargo x chaos r2 --minutes N --seed S` runs the long form on the release build.

use std::path::Path;
use std::time::Duration;

use super::cluster::{Cluster, LEASE, Pressure};
use super::{faults, gate, verdict};
use crate::gates::dice::Dice;
use crate::gates::oracle::{Broken, Floor, Records};
use crate::postgres::database::Database;

const KILLS: u64 = 18;
pub const EVERY: Duration = Duration::from_secs(3);
const PAUSES: u64 = 4;
/// Of the quick form.
const STEPS: usize = 3_000;
/// Of the kills, in percent.
const HITS: usize = 60;

pub const PRESSURE: Pressure = Pressure { hooks: &[("pure", 1), ("calls", 2)], watchers: 2, pace: Duration::from_millis(40) };

#[test]
fn nodes_that_are_killed_and_stopped_lose_nothing() {
    let kills = gate::minutes().map_or(KILLS, |minutes| minutes * 20);
    let floor = Floor { acked_steps: STEPS, kills: usize::try_from(kills).unwrap(), hits: HITS, settle_ms: 30_000 };
    gate::under_load("R2", &floor, async |folder, dice| {
        let (records, mut found, waits, refused) = storm("R2", folder, dice, kills, |_| Vec::new()).await;
        found.extend(verdict::takeover_in_time(&waits));
        if refused == 0 {
            found.push(Broken { rule: "nothing refused", text: "no late write was refused: the pauses met nothing".to_owned() });
        }
        (records, found)
    });
}

/// The load, the kills and the pauses; beside what was noted, the takeovers and how many late writes were refused. `tell`: what
/// each node's processes are told beside the usual.
pub async fn storm(
    name: &str,
    folder: &Path,
    dice: &Dice,
    kills: u64,
    tell: impl Fn(usize) -> Vec<(String, String)>,
) -> (Records, Vec<Broken>, Vec<i64>, usize) {
    let cluster = Cluster::new(folder, Database::make(), dice, PRESSURE.pace, tell).await;
    let clients = cluster.open(&PRESSURE).await;
    let over = EVERY * u32::try_from(kills).unwrap();
    let pauses = PAUSES * kills / KILLS;
    tokio::join!(
        faults::kills(&cluster, dice.fork("kills"), kills, EVERY),
        faults::pauses(&cluster, dice.fork("pauses"), pauses, over.saturating_sub(4 * LEASE))
    );
    let (mut records, signed) = cluster.close(clients).await;
    let logs = cluster.logs().await;
    let faults = cluster.faults.lock().unwrap().clone();
    let (waits, refused) = (verdict::takeovers(&faults, &signed), verdict::refused(&logs));
    verdict::report(name, &cluster, &records, &waits, refused);
    let mut found = verdict::healthy(&cluster, &faults);
    found.extend(verdict::fenced_effects(&records, &faults));
    verdict::number_by_registration(&cluster, &mut records).await;
    // A node that was declared dead while it stood still refuses what it had begun, and says so.
    found.extend(logs.iter().flat_map(|log| verdict::said(log, &["SHUTTING_DOWN", "idle-in-transaction timeout"])));
    (records, found, waits, refused)
}
