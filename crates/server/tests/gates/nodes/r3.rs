//! R3: the database crashes and comes back under load, half of the times right after a node was killed; nothing is stranded or lost.
//!
//! `cargo x chaos r3 --minutes N --seed S` runs the long form on the release build.

use std::path::Path;
use std::time::Duration;

use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::faults::{self, Fault, Kind};
use super::r2::PRESSURE;
use super::{gate, verdict};
use crate::gates::clock::{now, pause, wall_ms};
use crate::gates::dice::Dice;
use crate::gates::oracle::{Broken, Floor, Records};
use crate::postgres::database::Database;
use crate::postgres::postmaster::Postmaster;

const RESTARTS: u64 = 6;
/// From the database's return until a node says that it is ready.
const READY: Duration = Duration::from_secs(5);
const STEPS: usize = 1_000;
const HITS: usize = 60;

#[test]
fn a_database_that_crashes_strands_nothing() {
    let restarts = gate::minutes().map_or(RESTARTS, |minutes| minutes * 10);
    let floor = Floor { acked_steps: STEPS, kills: usize::try_from(restarts).unwrap(), hits: HITS, settle_ms: 30_000 };
    gate::under_load("R3", &floor, async |folder, dice| storm(folder, dice, restarts).await);
}

async fn storm(folder: &Path, dice: &Dice, restarts: u64) -> (Records, Vec<Broken>) {
    let server = block_in_place(Postmaster::start);
    let cluster = Cluster::new(folder, Database::on(server.url()), dice, PRESSURE.pace, |_| Vec::new()).await;
    let clients = cluster.open(&PRESSURE).await;
    let (mut dice, mut found, mut waits) = (dice.fork("restarts"), Vec::new(), Vec::new());
    for n in 0..restarts {
        pause(Duration::from_millis(dice.between(1_500, 3_000))).await;
        let hit = if n % 2 == 0 { Some(usize::try_from(dice.next() % cluster.members.len() as u64).unwrap()) } else { None };
        if let Some(hit) = hit {
            let fault = faults::strike(&cluster, &mut *cluster.members[hit].lock().await);
            cluster.faults.lock().unwrap().push(fault);
            pause(Duration::from_millis(dice.between(0, 400))).await;
        }
        let requests_open = cluster.loads.iter().map(|load| load.requests_open()).sum();
        let at = wall_ms();
        block_in_place(|| server.restart());
        let back = now();
        cluster.faults.lock().unwrap().push(Fault {
            kind: Kind::Database,
            who: "database".to_owned(),
            at,
            due: wall_ms(),
            held: Vec::new(),
            requests_open,
            resumed: None,
        });
        for (index, member) in cluster.members.iter().enumerate() {
            let mut member = member.lock().await;
            if hit == Some(index) {
                cluster.start(&mut member).await;
                continue;
            }
            member.server.ready().await;
            waits.push(back.elapsed());
        }
    }
    let (mut records, signed) = cluster.close(clients).await;
    verdict::number_by_registration(&cluster, &mut records).await;
    let faults = cluster.faults.lock().unwrap().clone();
    let logs = cluster.logs().await;
    verdict::report("R3", &cluster, &records, &verdict::takeovers(&faults, &signed), verdict::refused(&logs));
    waits.sort();
    let worst = waits.last().copied().unwrap_or_default();
    println!("R3: nodes ready again after the database was: p50 {:?}, worst {worst:?}", waits[waits.len() / 2]);
    if worst > READY {
        found.push(Broken { rule: "slow to be ready", text: format!("{worst:?} after the database was back, {READY:?} is promised") });
    }
    found.extend(verdict::healthy(&cluster, &faults));
    found.extend(logs.iter().flat_map(|log| verdict::said(log, &["STORE_UNREACHABLE", "SHUTTING_DOWN", "cannot be reached"])));
    (records, found)
}
