//! What a list feed knows of runs, and which events follow when it sees a run again: pure, so that a run is told once however often it is seen.

use std::collections::{HashMap, VecDeque};

use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::run::{RunStatus, RunSummary};

/// How a run was when it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    status: RunStatus,
    wake_at: Option<Millis>,
    started: bool,
}

/// Runs that are remembered. Those seen first leave first.
pub struct States {
    known: HashMap<RunId, Known>,
    order: VecDeque<RunId>,
    /// What happened before is not told.
    floor: Millis,
}

const MOST: usize = 8_192;

impl States {
    pub fn from(floor: Millis) -> States {
        States { known: HashMap::new(), order: VecDeque::new(), floor }
    }

    /// Takes a run for known as it is, without an event.
    pub fn learn(&mut self, run: &RunSummary) {
        self.put(run.id, Known { status: run.status, wake_at: run.wake_at, started: run.started_at.is_some() });
    }

    /// Known runs that have not ended, the newest first.
    pub fn going(&self, most: usize) -> Vec<RunId> {
        let going = |run: &&RunId| self.known.get(run).is_some_and(|known| !known.status.is_terminal());
        self.order.iter().rev().filter(going).take(most).copied().collect()
    }

    /// The events of a run that is seen, oldest first, each with its moment.
    pub fn see(&mut self, run: &RunSummary, now: Millis) -> Vec<(&'static str, Millis)> {
        let before = self.known.get(&run.id).copied();
        if before.is_some_and(|known| known.status.is_terminal()) {
            return vec![];
        }
        let ended = run.status.is_terminal();
        if before.is_none() && ended && run.finished_at.is_none_or(|at| at < self.floor) {
            return vec![];
        }
        let mut told = Vec::new();
        let started = before.is_some_and(|known| known.started);
        if let (false, Some(at)) = (started, run.started_at)
            && (before.is_some() || at >= self.floor)
        {
            told.push(("run.started", at));
        }
        let same = before.is_some_and(|known| known.status == run.status && known.wake_at == run.wake_at);
        match run.status {
            _ if ended => told.push(("run.finished", run.finished_at.unwrap_or(now))),
            _ if same => {}
            RunStatus::Queued if before.is_some() => told.push(("run.queued", now)),
            RunStatus::Queued if run.created_at >= self.floor => told.push(("run.queued", run.created_at)),
            RunStatus::Waiting | RunStatus::Paused if before.is_some() || !told.is_empty() => told.push(("run.waiting", now)),
            RunStatus::Running if before.is_some_and(|known| matches!(known.status, RunStatus::Waiting | RunStatus::Paused)) => {
                told.push(("run.resumed", now));
            }
            _ => {}
        }
        let known = Known { status: run.status, wake_at: run.wake_at, started: started || run.started_at.is_some() };
        self.put(run.id, known);
        told
    }

    fn put(&mut self, run: RunId, known: Known) {
        if self.known.insert(run, known).is_none() {
            self.order.push_back(run);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainspring_model::id::PlanId;
    use uuid::Uuid;

    fn run(n: u128, status: RunStatus, started_at: Option<Millis>, finished_at: Option<Millis>) -> RunSummary {
        RunSummary {
            id: RunId(Uuid::from_u128(n)),
            plan_id: PlanId(Uuid::nil()),
            plan_version: 1,
            plan_name: "p".to_owned(),
            status,
            trigger: "manual".to_owned(),
            created_at: 100,
            started_at,
            finished_at,
            wake_at: (status == RunStatus::Waiting).then_some(900),
            tag: None,
            held_for: None,
            held_by: None,
            output: None,
            error: None,
        }
    }

    #[test]
    fn a_run_is_told_once_however_often_it_is_seen() {
        let mut states = States::from(100);
        let mut told = Vec::new();
        let seen = [
            run(1, RunStatus::Queued, None, None),
            run(1, RunStatus::Queued, None, None),
            run(1, RunStatus::Running, Some(110), None),
            run(1, RunStatus::Waiting, Some(110), None),
            run(1, RunStatus::Waiting, Some(110), None),
            run(1, RunStatus::Running, Some(110), None),
            run(1, RunStatus::Success, Some(110), Some(130)),
            run(1, RunStatus::Success, Some(110), Some(130)),
        ];
        for run in &seen {
            told.extend(states.see(run, 120).into_iter().map(|(kind, _)| kind));
        }
        assert_eq!(told, ["run.queued", "run.started", "run.waiting", "run.resumed", "run.finished"]);
        assert_eq!(states.going(10), []);
    }

    #[test]
    fn a_run_that_is_seen_at_its_end_has_begun_before_it() {
        let mut states = States::from(100);
        assert_eq!(states.see(&run(1, RunStatus::Error, Some(110), Some(130)), 140), [("run.started", 110), ("run.finished", 130)]);
        assert_eq!(states.see(&run(2, RunStatus::Cancelled, None, Some(130)), 140), [("run.finished", 130)]);
    }

    #[test]
    fn what_happened_before_is_not_told() {
        let mut states = States::from(120);
        assert_eq!(states.see(&run(1, RunStatus::Success, Some(110), Some(119)), 140), []);
        assert_eq!(states.see(&run(2, RunStatus::Running, Some(110), None), 140), []);
        assert_eq!(states.see(&run(2, RunStatus::Success, Some(110), Some(150)), 160), [("run.finished", 150)]);
        states.learn(&run(3, RunStatus::Queued, None, None));
        assert_eq!(states.see(&run(3, RunStatus::Running, Some(130), None), 140), [("run.started", 130)]);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut states = States::from(0);
        for n in 0..MOST as u128 + 10 {
            states.see(&run(n, RunStatus::Running, Some(110), None), 120);
        }
        assert_eq!((states.known.len(), states.order.len()), (MOST, MOST));
        assert_eq!(states.going(1), [RunId(Uuid::from_u128(MOST as u128 + 9))]);
    }
}
