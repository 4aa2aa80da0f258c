//! What clients were told must stand in the journal: acknowledged runs, steps that were seen, endings, and no second run.

use std::collections::HashMap;

use super::records::{Records, RowKind, RunDump};
use super::{Broken, broken};

pub fn check(records: &Records) -> Vec<Broken> {
    let mut found = Vec::new();
    for (name, dump) in [("first", &records.first), ("second", &records.second)] {
        acknowledged(records, name, dump, &mut found);
        once_per_request(name, dump, &mut found);
    }
    found.extend(records.refusals.iter().map(|text| broken("refused", text.clone())));
    found
}

fn acknowledged(records: &Records, name: &str, dump: &[RunDump], found: &mut Vec<Broken>) {
    let runs: HashMap<&str, &RunDump> = dump.iter().map(|run| (run.id.as_str(), run)).collect();
    for ack in &records.acks {
        let Some(run) = runs.get(ack.run.as_str()) else {
            found.push(broken("acked run lost", format!("run {} ({}) is not in the {name} dump", ack.run, ack.token)));
            continue;
        };
        if run.token != ack.token {
            found.push(broken(
                "acked run lost",
                format!("run {} was acknowledged for {} and belongs to \"{}\"", ack.run, ack.token, run.token),
            ));
        }
        let recorded: HashMap<&str, u64> = run
            .rows
            .iter()
            .filter_map(|row| match &row.kind {
                RowKind::Attempted { path, status, output, .. } if status == "success" => Some((path.as_str(), *output)),
                _ => None,
            })
            .collect();
        for (path, seen) in &ack.steps {
            match recorded.get(path.as_str()) {
                Some(output) if output == seen => {}
                Some(_) => found.push(broken("acked step changed", format!("run {} step {path}: the client saw another output", ack.run))),
                None => found.push(broken("acked step lost", format!("run {} step {path} is not in the {name} dump", ack.run))),
            }
        }
        if let Some(ended) = &ack.ended
            && *ended != run.status
        {
            found.push(broken("ending changed", format!("run {} was seen as {ended} and is {}", ack.run, run.status)));
        }
    }
}

/// A client never asks twice under one token except with one idempotency key.
fn once_per_request(name: &str, dump: &[RunDump], found: &mut Vec<Broken>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for run in dump.iter().filter(|run| !run.token.is_empty()) {
        if let Some(other) = first.insert(&run.token, &run.id) {
            found.push(broken("request twice", format!("{} made the runs {other} and {} ({name} dump)", run.token, run.id)));
        }
    }
}
