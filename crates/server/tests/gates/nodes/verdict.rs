//! What only many nodes have to keep: takeovers in time, late writes refused, healthy nodes left alone, no effect of a node
//! that came back before it was one again.

use std::collections::HashMap;
use std::time::Duration;

use super::books::{self, Signed};
use super::cluster::{Cluster, LEASE};
use super::faults::{Fault, Kind};
use crate::gates::last;
use crate::gates::oracle::{Broken, Records};

/// Beyond the lease: a sweep every second, and as much again.
const GRACE: Duration = Duration::from_secs(2);

/// Numbers of what is unknown are below this.
const UNKNOWN: u32 = 1_000_000;

fn broken(rule: &'static str, text: String) -> Broken {
    Broken { rule, text }
}

/// How long each run that a fault met was left alone, in milliseconds: until the first row of another process.
pub fn takeovers(faults: &[Fault], signed: &[Signed]) -> Vec<i64> {
    let mut by_run: HashMap<&str, Vec<&Signed>> = HashMap::new();
    for row in signed {
        by_run.entry(&row.run).or_default().push(row);
    }
    let mut waits = Vec::new();
    for fault in faults.iter().filter(|fault| fault.kind != Kind::Database) {
        for run in &fault.held {
            let rows = by_run.get(run.as_str()).into_iter().flatten();
            // One that its last write ended has none.
            let next = rows.filter(|row| row.written > fault.at && row.who != fault.who).map(|row| row.written).min();
            // One that met a second fault before it wrote anything counts from that one.
            let again = |written: i64| {
                let mut between = faults.iter().filter(|other| other.at > fault.at && other.at < written);
                between.any(|other| other.held.contains(run))
            };
            waits.extend(next.filter(|written| !again(*written)).map(|written| (written - fault.due).max(0)));
        }
    }
    waits.sort_unstable();
    waits
}

pub fn takeover_in_time(waits: &[i64]) -> Vec<Broken> {
    let most = i64::try_from((LEASE + GRACE).as_millis()).unwrap();
    match waits.get((waits.len().saturating_sub(1)) * 99 / 100) {
        None => vec![broken("no takeover", "no run changed hands: the faults met nothing".to_owned())],
        Some(p99) if *p99 > most => {
            vec![broken("slow takeover", format!("p99 {p99} ms of {} takeovers, {most} ms are promised", waits.len()))]
        }
        Some(_) => vec![],
    }
}

/// Writes that were refused because their run was another process's, as the nodes' logs count them.
pub fn refused(logs: &[String]) -> usize {
    logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains("a late write was refused")).count()
}

/// A process registers once; again only when it was stopped for longer than its lease.
pub fn healthy(cluster: &Cluster, faults: &[Fault]) -> Vec<Broken> {
    let mut found = Vec::new();
    for (who, registered) in books::registrations(&cluster.database) {
        let times = registered.len();
        let excuses = |fault: &&Fault| matches!(fault.kind, Kind::Pause | Kind::Database);
        let excused = faults.iter().filter(excuses).filter(|fault| fault.who == who || fault.kind == Kind::Database).count();
        if times > 1 + excused {
            found.push(broken("healthy node swept", format!("{who} registered {times} times and was stopped {excused} times")));
        }
    }
    found
}

/// Numbers calls by the registration under which they were made: one that was declared dead may take up again what it had.
pub async fn number_by_registration(cluster: &Cluster, records: &mut Records) {
    let registered = books::registrations(&cluster.database);
    let mut names: HashMap<u32, String> = HashMap::new();
    for member in &cluster.members {
        names.extend(member.lock().await.lives.iter().cloned());
    }
    let mut numbers: HashMap<(&str, usize), u32> = HashMap::new();
    for call in &mut records.calls {
        // Whoever was killed the moment it called has a number of its own already.
        let Some(who) = names.get(&call.life) else { continue };
        let times = registered.get(who).map_or(0, |moments| moments.iter().filter(|at| **at <= call.at).count());
        let next = u32::try_from(numbers.len()).unwrap();
        call.life = *numbers.entry((who, times)).or_insert(next) + UNKNOWN;
    }
}

/// A node that comes back starts nothing before it has its lease again.
pub fn fenced_effects(records: &Records, faults: &[Fault]) -> Vec<Broken> {
    let mut found = Vec::new();
    for fault in faults {
        let Some((resumed, renewed, life)) = fault.resumed else { continue };
        for call in records.calls.iter().filter(|call| call.life == life && call.at < renewed) {
            found.push(broken(
                "effect without a lease",
                format!(
                    "{} called {} of run {} {} ms after it went on, and renewed its lease after {} ms",
                    fault.who,
                    call.path,
                    call.run,
                    call.at - resumed,
                    renewed - resumed
                ),
            ));
        }
    }
    found
}

/// Errors in a log but for those with one of these words.
pub fn said(log: &str, excused: &[&str]) -> Vec<Broken> {
    last::said(log).into_iter().filter(|broken| !excused.iter().any(|word| broken.text.contains(word))).collect()
}

/// The last moment that a log shows, in Unix seconds.
pub fn last_moment(log: &str) -> Option<i64> {
    let moments = log.lines().rev().filter_map(|line| line.split_whitespace().next()?.parse::<jiff::Timestamp>().ok());
    moments.map(|moment| moment.as_second()).next()
}

pub fn report(name: &str, cluster: &Cluster, records: &Records, waits: &[i64], refused: usize) {
    let faults = cluster.faults.lock().unwrap();
    let of = |kind: Kind| faults.iter().filter(|fault| fault.kind == kind).count();
    let held: usize = faults.iter().map(|fault| fault.held.len()).sum();
    let rank = |percent: usize| waits.get(waits.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    let ended = |status: &str| records.first.iter().filter(|run| run.status == status).count();
    let mut starts = cluster.starts.lock().unwrap().clone();
    starts.sort();
    println!(
        "{name}: {} kills, {} stops, {} pauses, {} restarts of the database; {} of them hit work; {held} runs held",
        of(Kind::Kill),
        of(Kind::Stop),
        of(Kind::Pause),
        of(Kind::Database),
        records.hits()
    );
    println!(
        "{name}: {} takeovers: p50 {} ms, p99 {} ms, worst {} ms; {refused} late writes refused",
        waits.len(),
        rank(50),
        rank(99),
        rank(100)
    );
    println!(
        "{name}: {} steps of {} runs acknowledged; {} runs in the journal ({} success, {} needs_decision, {} quarantined)",
        records.acked_steps(),
        records.acks.len(),
        records.first.len(),
        ended("success"),
        ended("needs_decision"),
        ended("quarantined")
    );
    let extra = records.calls.iter().filter(|call| call.nth > 1).count();
    println!(
        "{name}: {} ledger calls, {extra} of them repeated; settled {:?} ms after the last fault",
        records.calls.len(),
        records.settled_ms
    );
    println!(
        "{name}: ready after start: p50 {:?}, worst {:?} ({} starts)",
        starts[starts.len() / 2],
        starts[starts.len() - 1],
        starts.len()
    );
}
