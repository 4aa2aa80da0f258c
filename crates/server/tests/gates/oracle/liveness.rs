//! Against empty passes: enough was acknowledged, enough kills hit work, everything ended in time, and the last operations worked.

use serde::Serialize;

use super::records::Records;
use super::{Broken, broken};

/// What a gate must at least have done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Floor {
    pub acked_steps: usize,
    pub kills: usize,
    /// Percent of the kills.
    pub hits: usize,
    /// From the last kill until every run had ended.
    pub settle_ms: u64,
}

pub fn check(records: &Records, floor: &Floor) -> Vec<Broken> {
    let mut found = Vec::new();
    let steps = records.acked_steps();
    if steps < floor.acked_steps {
        found.push(broken("too little work", format!("{steps} steps were acknowledged, {} are asked for", floor.acked_steps)));
    }
    if records.kills.len() < floor.kills {
        found.push(broken("too few kills", format!("{} kills, {} are asked for", records.kills.len(), floor.kills)));
    }
    if records.hits() * 100 < records.kills.len() * floor.hits {
        found.push(broken(
            "idle kills",
            format!("{} of {} kills hit work in flight, {} % are asked for", records.hits(), records.kills.len(), floor.hits),
        ));
    }
    match records.settled_ms {
        Some(took) if took <= floor.settle_ms => {}
        Some(took) => found.push(broken("slow to settle", format!("runs were open for {took} ms after the last kill"))),
        None => found.push(broken("slow to settle", "runs were still open when the gate gave up".to_owned())),
    }
    if records.last.is_empty() {
        found.push(broken("last operations", "none was made after the last kill".to_owned()));
    }
    found.extend(records.last.iter().filter(|(_, worked)| !worked).map(|(name, _)| broken("last operations", format!("{name} failed"))));
    found
}

impl Records {
    pub fn acked_steps(&self) -> usize {
        self.acks.iter().map(|ack| ack.steps.len()).sum()
    }

    /// Kills that met a call or a request in flight.
    pub fn hits(&self) -> usize {
        self.kills.iter().filter(|kill| kill.calls_open + kill.requests_open > 0).count()
    }
}
