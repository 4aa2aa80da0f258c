//! R4: two hundred schedules due every second over three nodes that are killed while the plans are edited; each slot has one run.
//!
//! `cargo x chaos r4 --minutes N --seed S` runs the long form on the release build.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::books::{self, Filled};
use super::cluster::Cluster;
use super::{faults, gate, verdict};
use crate::gates::client::Client;
use crate::gates::clock::{now, pause, wall_ms};
use crate::gates::dice::Dice;
use crate::gates::oracle::Broken;
use crate::postgres::database::Database;

const SCHEDULES: usize = 200;
const LASTS: Duration = Duration::from_secs(50);
const KILL_EVERY: Duration = Duration::from_secs(5);
const EDIT_EVERY: Duration = Duration::from_millis(100);
/// What is still due at the end is filled within this.
const SETTLE: Duration = Duration::from_secs(120);
/// A node that read a plan just before its edit was acknowledged may start its run just after; and machines are busy.
const SLACK: i64 = 2_000;

/// One plan with its one schedule.
struct Planned {
    id: String,
    /// The request that made it: from when until when.
    made: (i64, i64),
    /// When an edit was acknowledged, and the version that it made.
    edits: Mutex<Vec<(i64, u64)>>,
}

#[test]
fn every_slot_of_many_nodes_is_filled_once() {
    let lasts = gate::minutes().map_or(LASTS, |minutes| Duration::from_secs(minutes * 60));
    gate::run("R4", async |folder, dice| slots(folder, dice, lasts).await);
}

async fn slots(folder: &Path, dice: &Dice, lasts: Duration) -> Vec<Broken> {
    let cluster = Cluster::new(folder, Database::make(), dice, Duration::ZERO, |_| Vec::new()).await;
    for member in &cluster.members {
        cluster.start(&mut *member.lock().await).await;
    }
    let mut client = Client::new(cluster.loads[0].address());
    let mut planned = Vec::new();
    for n in 0..SCHEDULES {
        let before = wall_ms();
        let (status, answer) = client.post("/api/plans", &document(n, 0)).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let id = answer["plan"]["id"].as_str().unwrap().to_owned();
        planned.push(Planned { id, made: (before, wall_ms()), edits: Mutex::default() });
    }
    let kills = lasts.as_secs() / KILL_EVERY.as_secs();
    tokio::join!(faults::kills(&cluster, dice.fork("kills"), kills, KILL_EVERY), edits(&cluster, dice.fork("edits"), &planned, lasts));
    let last = wall_ms() / 1_000 * 1_000;
    let began = now();
    while block_in_place(|| books::slots_due(&cluster.database, last)) > 0 && began.elapsed() < SETTLE {
        pause(Duration::from_millis(100)).await;
    }
    while block_in_place(|| books::open_runs_of_slots(&cluster.database, last)) > 0 && began.elapsed() < SETTLE {
        pause(Duration::from_millis(100)).await;
    }
    println!("R4: {:?} after the end until all was filled", began.elapsed());
    let filled = block_in_place(|| books::filled(&cluster.database));
    let mut found = judge(&planned, &filled, last);
    let faults = cluster.faults.lock().unwrap().clone();
    found.extend(verdict::healthy(&cluster, &faults));
    let refusals = cluster.loads.iter().flat_map(|load| load.refusals());
    found.extend(refusals.map(|text| Broken { rule: "refused", text }));
    // A slot that met the saving of its plan is tried again.
    found.extend(cluster.logs().await.iter().flat_map(|log| verdict::said(log, &["its slot stays due"])));
    let edited: usize = planned.iter().map(|plan| plan.edits.lock().unwrap().len()).sum();
    println!("R4: {} kills, {edited} edits, {} runs of {SCHEDULES} schedules", faults.len(), filled.len());
    if (edited as u128) < wanted(lasts) {
        found.push(Broken { rule: "too little work", text: format!("{edited} edits were acknowledged") });
    }
    found
}

fn document(n: usize, edit: u64) -> Value {
    let trigger = json!({"id": "tick", "type": "cron", "cron": "* * * * * *", "misfire": "fire_all"});
    let step = json!({"id": "n", "action": "logic.set", "params": {"edit": edit}});
    json!({"name": format!("every second {n}"), "triggers": [trigger], "steps": [step]})
}

/// As many edits as have to be acknowledged: half of those that are sent at their pace.
fn wanted(lasts: Duration) -> u128 {
    lasts.as_millis() / EDIT_EVERY.as_millis() / 2
}

/// One plan after the other gets a new version, through whichever node. A slow machine takes longer, and does no less.
async fn edits(cluster: &Cluster, mut dice: Dice, planned: &[Planned], lasts: Duration) {
    let (began, mut count, mut acknowledged) = (now(), 0, 0);
    while began.elapsed() < lasts || (acknowledged < wanted(lasts) && began.elapsed() < 3 * lasts) {
        count += 1;
        pause((began + EDIT_EVERY * count).saturating_duration_since(now())).await;
        let n = usize::try_from(dice.next() % planned.len() as u64).unwrap();
        let load = &cluster.loads[usize::try_from(dice.next() % cluster.loads.len() as u64).unwrap()];
        let path = format!("/api/plans/{}", planned[n].id);
        match Client::new(load.address()).send("PUT", &path, Some(&document(n, count.into())), None).await {
            Ok((200, answer)) => {
                acknowledged += 1;
                planned[n].edits.lock().unwrap().push((wall_ms(), answer["plan"]["version"].as_u64().unwrap()));
            }
            // Killed, or on its way up; whether the edit was made is not known.
            Ok((503, _)) | Err(_) => {}
            Ok((status, answer)) => load.refuse(format!("edit: {status} {answer}")),
        }
    }
}

/// The oracle of `* * * * * *` needs no cron: all whole seconds from the first after the plan was made, each once.
fn judge(planned: &[Planned], filled: &[Filled], last: i64) -> Vec<Broken> {
    let mut found = Vec::new();
    let mut broken = |rule: &'static str, text: String| found.push(Broken { rule, text });
    let mut by_plan: HashMap<&str, Vec<&Filled>> = HashMap::new();
    for run in filled {
        by_plan.entry(&run.plan).or_default().push(run);
    }
    let (mut late, mut slots) = (Vec::new(), 0);
    for plan in planned {
        let runs = by_plan.remove(plan.id.as_str()).unwrap_or_default();
        let mut due: HashMap<i64, u32> = HashMap::new();
        for run in &runs {
            *due.entry(run.due).or_default() += 1;
            late.push(run.created - run.due);
            if run.created < run.due {
                broken("slot early", format!("{} of {} was filled {} ms early", run.due, plan.id, run.due - run.created));
            }
            if run.status != "success" && run.due <= last {
                broken("wrong ending", format!("{} of {} is {}", run.due, plan.id, run.status));
            }
            let edits = plan.edits.lock().unwrap();
            let newest = edits.iter().filter(|(at, _)| at + SLACK < run.created).map(|(_, version)| *version).max();
            if newest.is_some_and(|version| run.version < version) {
                broken("old version", format!("{} of {} ran version {}, long after {newest:?} was saved", run.due, plan.id, run.version));
            }
        }
        let first = due.keys().min().copied().unwrap_or(i64::MAX);
        if !(first > plan.made.0 && first <= plan.made.1 + 1_000) {
            broken("slot missing", format!("{} was made at {:?} and began at {first}", plan.id, plan.made));
            continue;
        }
        for slot in (first..=last).step_by(1_000) {
            slots += 1;
            match due.remove(&slot).unwrap_or_default() {
                1 => {}
                0 => broken("slot missing", format!("{slot} of {} has no run", plan.id)),
                many => broken("slot twice", format!("{slot} of {} has {many} runs", plan.id)),
            }
        }
        let others: Vec<i64> = due.into_iter().filter(|(slot, times)| *slot <= last || *times != 1).map(|(slot, _)| slot).collect();
        if !others.is_empty() {
            broken("slot unknown", format!("{others:?} of {} are no due times, or were filled twice", plan.id));
        }
    }
    late.sort_unstable();
    let rank = |percent: usize| late.get(late.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    println!("R4: {slots} slots; filled {} ms after they were due (p50), {} (p99), {} at worst", rank(50), rank(99), rank(100));
    found
}
