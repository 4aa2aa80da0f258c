//! The journal in itself: rows without gaps or duplicates, results once, one terminal state that no later start changes.

use std::collections::{HashMap, HashSet};

use super::records::{Records, RowKind, RunDump};
use super::{Broken, broken};

const TERMINAL: [&str; 6] = ["success", "error", "cancelled", "timed_out", "needs_decision", "quarantined"];
/// A run is given up after two crashes in flight and three more alone.
const CRASHES: usize = 5;

pub fn check(records: &Records) -> Vec<Broken> {
    let mut found = Vec::new();
    let mut ids = HashSet::new();
    for run in &records.first {
        if !ids.insert(run.id.as_str()) {
            found.push(broken("run twice", format!("run {} stands twice in the journal", run.id)));
        }
        rows(run, &mut found);
        results(run, &mut found);
        ending(run, records, &mut found);
    }
    unchanged(records, &mut found);
    found
}

/// `seq` counts from 1 by ones.
fn rows(run: &RunDump, found: &mut Vec<Broken>) {
    let mut expected = 1;
    for row in &run.rows {
        if row.seq < expected {
            found.push(broken("journal row twice", format!("run {} has row {} again", run.id, row.seq)));
        } else if row.seq > expected {
            found.push(broken("journal gap", format!("run {} has row {} where {expected} should be", run.id, row.seq)));
        }
        expected = row.seq + 1;
    }
}

/// An attempt ends once, and a step has one result.
fn results(run: &RunDump, found: &mut Vec<Broken>) {
    let (mut attempts, mut over) = (HashSet::new(), HashSet::new());
    let mut due: HashMap<&str, i64> = HashMap::new();
    for row in &run.rows {
        match &row.kind {
            RowKind::Attempted { path, attempt, status, .. } => {
                if !attempts.insert((path.as_str(), *attempt)) {
                    found.push(broken("result twice", format!("run {} step {path}: attempt {attempt} ended twice", run.id)));
                }
                if over.contains(path.as_str()) {
                    found.push(broken("result twice", format!("run {} step {path} has a result after its result", run.id)));
                }
                if status == "success" || status == "error" {
                    over.insert(path.as_str());
                }
                if due.get(path.as_str()).is_some_and(|until| row.at < *until) {
                    found.push(broken(
                        "early",
                        format!("run {} step {path} went on {} ms before it was due", run.id, due[path.as_str()] - row.at),
                    ));
                }
            }
            RowKind::Waiting { path, until } => drop(due.insert(path, *until)),
            RowKind::Finished { .. } | RowKind::Other => {}
        }
    }
}

/// One terminal row, the last, that agrees with the status column, and one that this load may have.
fn ending(run: &RunDump, records: &Records, found: &mut Vec<Broken>) {
    let ends: Vec<(usize, &str)> = run
        .rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| match &row.kind {
            RowKind::Finished { status } => Some((place, status.as_str())),
            _ => None,
        })
        .collect();
    match ends.as_slice() {
        [] => found.push(broken("not ended", format!("run {} is {} and has no terminal row", run.id, run.status))),
        [(place, status)] => {
            if *place + 1 != run.rows.len() {
                found.push(broken("after the end", format!("run {} has rows after its terminal one", run.id)));
            }
            if *status != run.status {
                found.push(broken(
                    "two terminal states",
                    format!("run {} is {} in its row and {status} in its journal", run.id, run.status),
                ));
            }
            if !TERMINAL.contains(status) {
                found.push(broken("not ended", format!("run {} ended as {status}, which is no end", run.id)));
            }
        }
        many => found.push(broken("two terminal states", format!("run {} ended {} times", run.id, many.len()))),
    }
    let over_kills =
        || records.kills.iter().filter(|kill| kill.at >= run.created_at && run.rows.last().is_none_or(|row| kill.at <= row.at)).count();
    match run.status.as_str() {
        // `once` never guesses; the plans that have such a step say so in their name.
        "needs_decision" if run.plan.contains("once") => {}
        // Five crashes in flight without one finished step between: rare under random kills, and then right.
        "quarantined" if over_kills() >= CRASHES => {}
        "success" => {}
        status => found.push(broken("wrong ending", format!("run {} of {} ended as {status}", run.id, run.plan))),
    }
}

/// The second dump, after one more start and kill, holds the same.
fn unchanged(records: &Records, found: &mut Vec<Broken>) {
    let later: HashMap<&str, &RunDump> = records.second.iter().map(|run| (run.id.as_str(), run)).collect();
    for run in &records.first {
        match later.get(run.id.as_str()) {
            None => found.push(broken("run lost later", format!("run {} is not in the second dump", run.id))),
            Some(again) if *again == run => {}
            Some(again) if again.status != run.status => {
                found.push(broken("two terminal states", format!("run {} was {} and later {}", run.id, run.status, again.status)));
            }
            Some(_) => found.push(broken("journal changed", format!("run {} has other rows in the second dump", run.id))),
        }
    }
}
