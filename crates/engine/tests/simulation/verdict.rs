//! The judge at the end of a world: everything accepted exists and has ended, for a reason; every slot has its one run.

use std::collections::BTreeMap;

use mainspring_model::clock::Millis;
use mainspring_model::cron::{GRACE, Misfire};
use mainspring_model::id::{RunId, ScheduleId};

use super::database::Database;
use super::judge::Judge;
use super::scenario::Scenario;

/// Codes with which the simulated world outside makes a step fail.
const OUTSIDE: [&str; 5] = ["CONNECTION_FAILED", "HTTP_503", "TIMEOUT", "USER_REFUSED", "RUN_FAILED"];
/// So many deaths in a row end a run in quarantine.
const DEATHS: u32 = 10;
/// Slots that become due so shortly before the end are not asked for.
pub const LAST: Millis = 30_000;

impl Judge {
    pub fn conclude(&mut self, database: &Database, scenario: &Scenario, end: Millis) {
        self.everything_ended(database);
        self.acknowledged();
        self.slots(scenario, end);
        self.bursts(database);
    }

    fn everything_ended(&mut self, database: &Database) {
        let mut broken = Vec::new();
        for (id, row) in &database.runs {
            let Some(seen) = self.runs.get(id) else {
                broken.push(format!("unknown run: {id} is in the database and nobody made it"));
                continue;
            };
            let Some(status) = seen.ended.as_deref() else {
                let due = row.due_at;
                broken.push(format!("not ended: {id} of {} is {} by {} due {due:?}", seen.plan, row.status.as_str(), row.epoch));
                continue;
            };
            if status != row.status.as_str() {
                broken.push(format!("two terminal states: {id} is {} and its journal says {status}", row.status.as_str()));
            }
            let cancelled = self.cancels.contains(id) || parent_cancelled(&self.cancels, row);
            let explained = match status {
                "success" => true,
                "error" => seen.error.as_deref().is_some_and(|error| OUTSIDE.iter().any(|code| error.starts_with(code))),
                "cancelled" => cancelled,
                // Its one attempt was under way when it changed hands, or was given up by a process that ended.
                "needs_decision" => seen.plan == "once" && (seen.taken_over > 0 || self.was_called(*id, "pay")),
                "quarantined" => seen.taken_over >= DEATHS,
                _ => false,
            };
            if !explained {
                broken.push(format!("wrong ending: {id} of {} ended in {status}: {:?}", seen.plan, seen.error));
            }
        }
        self.broken.extend(broken);
    }

    fn acknowledged(&mut self) {
        let mut by_key: BTreeMap<&str, RunId> = BTreeMap::new();
        let mut broken = Vec::new();
        for (run, key) in &self.acks {
            if !self.runs.contains_key(run) {
                broken.push(format!("lost: {run} was acknowledged and does not exist"));
            }
            if let Some(key) = key {
                let first = by_key.entry(key).or_insert(*run);
                if first != run {
                    broken.push(format!("key twice: {key} gave {first} and {run}"));
                }
            }
        }
        for run in &self.cancels {
            if self.runs.get(run).is_none_or(|seen| seen.ended.is_none()) {
                broken.push(format!("cancel lost: {run} was to end and did not"));
            }
        }
        self.broken.extend(broken);
    }

    /// Every due time by plain arithmetic, one run each; what has none was later than the grace when its schedule moved on.
    fn slots(&mut self, scenario: &Scenario, end: Millis) {
        let mut filled: BTreeMap<(ScheduleId, Millis), Vec<RunId>> = BTreeMap::new();
        for (id, seen) in &self.runs {
            if let Some(slot) = seen.slot {
                filled.entry(slot).or_default().push(*id);
            }
        }
        let mut broken = Vec::new();
        for schedule in &scenario.schedules {
            for due in schedule.slots(end) {
                match filled.remove(&(schedule.id, due)).unwrap_or_default().as_slice() {
                    [_] => {}
                    [] => {
                        let passed = self.moves.iter().find(|(id, next, _)| *id == schedule.id && next.is_none_or(|next| next > due));
                        let explained = schedule.misfire != Misfire::FireAll && passed.is_some_and(|(_, _, at)| at - due >= GRACE);
                        if !explained {
                            let when = passed.map(|(_, _, at)| at - due);
                            broken.push(format!("slot missing: {due} of {} has no run; passed after {when:?} ms", schedule.name));
                        }
                    }
                    many => broken.push(format!("slot twice: {due} of {} has {} runs", schedule.name, many.len())),
                }
            }
        }
        for ((schedule, due), runs) in filled.iter().filter(|((_, due), _)| *due <= end - LAST) {
            broken.push(format!("slot unknown: {due} of {schedule} is no due time and has {} runs", runs.len()));
        }
        self.broken.extend(broken);
    }
}

fn parent_cancelled(cancels: &std::collections::BTreeSet<RunId>, row: &super::database::Row) -> bool {
    row.header.parent.as_ref().is_some_and(|(parent, _)| cancels.contains(parent))
}
