//! Who of an organization whose runs at work are limited gets the places that are free: one pure rule, for both databases.

use mainspring_model::run::HeldBy;

/// Looks in a row at what is due when none of it had a place, before others have a turn.
pub(crate) const LOOKS: u32 = 20;
/// Between two that are let go because there is no limit any more, as between places in the queue ([`super::turns`]).
pub(crate) const APART: i64 = 100;
/// Runs that are let go in one transaction, where there is no limit any more.
pub(crate) const LET_GO: i64 = 500;

/// A run that a claim met, or that was set aside before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<K> {
    pub(crate) run: K,
    /// The claim met it: it is due, and has to be told where it stands.
    pub(crate) met: bool,
    /// It ends without running anything, and so needs no place: it was refused, or cancelled before it began.
    pub(crate) ends: bool,
    pub(crate) cancelled: bool,
    /// The more urgent the higher.
    pub(crate) rank: i64,
    /// The older the lower.
    pub(crate) age: i64,
}

/// What becomes of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Share<K> {
    pub(crate) begin: Vec<K>,
    pub(crate) aside: Vec<K>,
}

/// Gives `room` places to those who come first: who is to be cancelled, then the most urgent, then the oldest. `most` is how many runs
/// the claim may take in all. Where it takes no more although there is room, nobody is set aside: the next claim goes on.
pub(crate) fn share<K: Ord>(mut candidates: Vec<Candidate<K>>, room: usize, most: usize) -> Share<K> {
    candidates.sort_by(|a, b| {
        let key = |c: &Candidate<K>| (!c.ends, !c.cancelled, -c.rank, c.age);
        key(a).cmp(&key(b)).then_with(|| a.run.cmp(&b.run))
    });
    let (mut begin, mut aside, mut room) = (Vec::new(), Vec::new(), room);
    for candidate in candidates {
        let place = candidate.ends || room > 0;
        if place && begin.len() < most {
            room -= usize::from(!candidate.ends);
            begin.push(candidate.run);
        } else if !place && candidate.met {
            aside.push(candidate.run);
        }
    }
    Share { begin, aside }
}

/// Which limit a queued run waits for.
pub(crate) fn held_by(queued: bool, held: bool, set_aside: bool) -> Option<HeldBy> {
    match (queued, held, set_aside) {
        (true, true, _) => Some(HeldBy::Concurrency),
        (true, false, true) => Some(HeldBy::OrganizationLimit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(run: u8, rank: i64, age: i64) -> Candidate<u8> {
        Candidate { run, met: true, ends: false, cancelled: false, rank, age }
    }

    fn aside(run: u8, age: i64) -> Candidate<u8> {
        Candidate { met: false, ..met(run, 0, age) }
    }

    #[test]
    fn places_go_by_priority_and_age_whether_one_was_set_aside_or_not() {
        let line = vec![met(1, 0, 30), met(2, 1, 40), aside(3, 10), aside(4, 20)];
        assert_eq!(share(line.clone(), 2, 50), Share { begin: vec![2, 3], aside: vec![1] });
        assert_eq!(share(line.clone(), 0, 50), Share { begin: vec![], aside: vec![2, 1] });
        assert_eq!(share(line, 9, 50), Share { begin: vec![2, 3, 4, 1], aside: vec![] });
    }

    #[test]
    fn what_only_ends_needs_no_place_and_what_is_cancelled_goes_first() {
        let ends = Candidate { ends: true, cancelled: true, ..met(5, 0, 90) };
        let cancelled = Candidate { cancelled: true, ..met(6, 0, 80) };
        let line = vec![met(1, 1, 1), cancelled, ends];
        assert_eq!(share(line.clone(), 0, 50), Share { begin: vec![5], aside: vec![6, 1] });
        assert_eq!(share(line, 1, 50), Share { begin: vec![5, 6], aside: vec![1] });
    }

    #[test]
    fn a_claim_that_is_full_leaves_the_rest_to_the_next() {
        assert_eq!(share(vec![met(1, 0, 1), met(2, 0, 2), aside(3, 3)], 3, 2), Share { begin: vec![1, 2], aside: vec![] });
        // There is no room for the third, so it is set aside.
        assert_eq!(share(vec![met(1, 0, 1), met(2, 0, 2), met(3, 0, 3)], 2, 2), Share { begin: vec![1, 2], aside: vec![3] });
    }
}
