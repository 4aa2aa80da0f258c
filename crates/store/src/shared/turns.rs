//! Places in the queue, by organization: one that queues ten thousand runs at once stands behind whoever comes a moment later
//! with a few.
//!
//! A queued run's `due_at` orders the queue and holds nobody up: it is claimed whatever the clock says. So each organization's
//! runs get places that are at least [`APART`] from one another: a burst reaches into the future, a run by somebody else has its
//! place now, and nobody starves, since every place becomes the oldest one in the end. Nothing is counted in the database,
//! where one row for each organization would be what all writers wait for. Writers do not know of each other's places, so
//! an organization's runs that came in by several nodes are taken up in about their order.
//!
//! Each priority is a line of its own: what is urgent does not stand behind its organization's own burst, and what can wait
//! begins its line [`LOW`] later. So an organization gains one more line by calling runs urgent, and no more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mainspring_model::clock::Millis;
use mainspring_model::flow::Priority;
use mainspring_model::id::OrgId;

/// Between two places of one organization: ten runs a second is what each gets of a queue that is never empty, before it has to
/// stand behind others.
const APART: Millis = 100;
/// How much later runs of low priority are queued: whoever comes within it goes first.
const LOW: Millis = 60_000;
/// Organizations remembered before those whose last place is in the past are forgotten.
const MOST: usize = 1_024;

/// The last place that each organization was given by one writer.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<(OrgId, Priority), Millis>>);

impl Turns {
    /// The place of a run that is queued now.
    pub(crate) fn next(&self, org: OrgId, priority: Priority, now: Millis) -> Millis {
        let (line, now) = ((org, priority), if priority == Priority::Low { now.saturating_add(LOW) } else { now });
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MOST && !last.contains_key(&line) {
            last.retain(|_, last| last.saturating_add(APART) > now);
        }
        let place = last.get(&line).map_or(now, |last| last.saturating_add(APART).max(now));
        last.insert(line, place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(n: u128) -> OrgId {
        OrgId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_burst_stands_behind_who_comes_later() {
        let turns = Turns::default();
        let flood: Vec<Millis> = (0..4).map(|_| turns.next(org(1), Priority::Normal, 1_000)).collect();
        assert_eq!(flood, [1_000, 1_100, 1_200, 1_300]);
        assert_eq!(turns.next(org(2), Priority::Normal, 1_050), 1_050);
        assert_eq!(turns.next(org(1), Priority::Normal, 1_350), 1_400);
        assert_eq!(turns.next(org(1), Priority::Normal, 9_000), 9_000, "who was quiet for a while has its place now");
    }

    #[test]
    fn what_is_urgent_passes_its_own_burst_and_what_can_wait_goes_last() {
        let turns = Turns::default();
        let burst: Vec<Millis> = (0..5).map(|_| turns.next(org(1), Priority::Normal, 1_000)).collect();
        assert_eq!(burst.last(), Some(&1_400));
        assert_eq!(turns.next(org(1), Priority::High, 1_010), 1_010);
        assert_eq!(turns.next(org(1), Priority::High, 1_010), 1_110, "its line has places apart as well");
        assert_eq!(turns.next(org(1), Priority::Low, 1_010), 61_010);
        assert_eq!(turns.next(org(1), Priority::Normal, 1_010), 1_500, "the others stand where they would");
    }

    #[test]
    fn those_who_are_behind_nobody_are_forgotten() {
        let turns = Turns::default();
        (0..MOST as u128).for_each(|n| assert_eq!(turns.next(org(n), Priority::Normal, 0), 0));
        turns.next(org(0), Priority::Normal, 0);
        turns.next(org(5_000), Priority::Normal, 150);
        assert_eq!(turns.0.lock().unwrap().keys().copied().collect::<Vec<_>>().len(), 2);
        assert_eq!(turns.next(org(0), Priority::Normal, 150), 200);
    }
}
