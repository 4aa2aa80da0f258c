//! Effects as the ledger saw them: known to the journal, under equal keys, repeated only by a kill, never before their time.

use std::collections::{HashMap, HashSet};

use super::records::{Call, Records, RowKind, RunDump};
use super::{Broken, broken};

pub fn check(records: &Records) -> Vec<Broken> {
    let mut found = Vec::new();
    let runs: HashMap<&str, Known> = records.first.iter().map(|run| (run.id.as_str(), Known::of(run))).collect();
    known(records, &runs, &mut found);
    keys(records, &mut found);
    repeats(records, &mut found);
    found
}

/// What the journal says of one run's effects.
struct Known<'a> {
    run: &'a RunDump,
    /// When each step's result was recorded.
    results: HashMap<&'a str, i64>,
    /// Idempotency keys that the plan wrote down, by step.
    keys: HashMap<&'a str, &'a str>,
    /// The latest moment that the run waited for.
    due: i64,
}

impl<'a> Known<'a> {
    fn of(run: &'a RunDump) -> Known<'a> {
        let mut known = Known { run, results: HashMap::new(), keys: HashMap::new(), due: i64::MIN };
        for row in &run.rows {
            match &row.kind {
                RowKind::Attempted { path, keys, .. } => {
                    known.results.insert(path, row.written);
                    known.keys.extend(keys.iter().map(|(step, key)| (step.as_str(), key.as_str())));
                }
                RowKind::Waiting { until, .. } => known.due = known.due.max(*until),
                RowKind::Finished { .. } | RowKind::Other => {}
            }
        }
        known
    }
}

/// Each call belongs to a run and a step of the journal: no effect of a run that was never accepted, none without a result.
fn known(records: &Records, runs: &HashMap<&str, Known>, found: &mut Vec<Broken>) {
    for call in &records.calls {
        let Some(known) = runs.get(call.run.as_str()) else {
            found.push(broken("unknown ledger key", format!("{} of run {} ({}) is in no journal", call.key, call.run, call.token)));
            continue;
        };
        if known.run.token != call.token {
            found.push(broken(
                "unknown ledger key",
                format!("{} says {} and run {} says {}", call.key, call.token, call.run, known.run.token),
            ));
        }
        let undecided = known.run.status == "needs_decision" || known.run.status == "quarantined";
        match known.results.get(call.path.as_str()) {
            Some(recorded) if call.at > *recorded => {
                found.push(broken(
                    "extra ledger call",
                    format!("run {} called {} again after its result was recorded", call.run, call.path),
                ));
            }
            None if !undecided => {
                found.push(broken("unknown ledger key", format!("run {} has no result of {}, which was called", call.run, call.path)));
            }
            _ => {}
        }
        if known.keys.get(call.path.as_str()).is_some_and(|key| *key != call.key) {
            found.push(broken("key differs", format!("run {} step {}: the ledger and the plan saw different keys", call.run, call.path)));
        }
        if call.at < known.due {
            found.push(broken(
                "early",
                format!("run {} called {} {} ms before its wait was over", call.run, call.path, known.due - call.at),
            ));
        }
    }
}

/// One key a step, one step a key, over all attempts and processes; and the same body.
fn keys(records: &Records, found: &mut Vec<Broken>) {
    let mut by_step: HashMap<(&str, &str), &Call> = HashMap::new();
    let mut by_key: HashMap<&str, &Call> = HashMap::new();
    for call in &records.calls {
        let first = by_step.entry((&call.run, &call.path)).or_insert(call);
        if first.key != call.key {
            found.push(broken("key differs", format!("run {} step {} came under two keys", call.run, call.path)));
        } else if first.body != call.body {
            found.push(broken("body differs", format!("run {} step {} was repeated with another body", call.run, call.path)));
        }
        let first = by_key.entry(&call.key).or_insert(call);
        if (&first.run, &first.path) != (&call.run, &call.path) {
            found.push(broken("key differs", format!("{} stands for {} and {}", call.key, first.path, call.path)));
        }
    }
}

/// An extra call needs a kill that hit the step in flight: within one process a key comes once, so no step has more extra
/// calls than kills that met it in flight. `once`: one call in all.
fn repeats(records: &Records, found: &mut Vec<Broken>) {
    let mut lives: HashMap<&str, HashSet<u32>> = HashMap::new();
    for call in &records.calls {
        let seen = lives.entry(&call.key).or_default();
        if !seen.insert(call.life) {
            found.push(broken(
                "extra ledger call",
                format!("run {} step {} was called twice by process {}", call.run, call.path, call.life),
            ));
        }
        if call.once && call.nth > 1 {
            found.push(broken("once twice", format!("run {} step {} is `once` and was called {} times", call.run, call.path, call.nth)));
        }
    }
}
