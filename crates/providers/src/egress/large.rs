//! Places for large answers: how many the process reads and records at once. A body that finds none stays at its sender.
//!
//! A place is held until the attempt's output is recorded: a body is then in a blob, and not in memory several times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mainspring_model::action::Keeps;
use mainspring_model::id::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies of up to so many bytes need no place.
pub(super) const LARGE: usize = 1 << 20;
/// Large bodies at once, and those of one organization.
const PLACES: usize = 4;
const OF_ONE: usize = 3;

/// One per [`super::Egress`].
pub(super) struct Places {
    all: Arc<Semaphore>,
    of: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// Held by an attempt.
struct Place {
    _all: OwnedSemaphorePermit,
    _of: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Places {
        Places { all: Arc::new(Semaphore::new(PLACES)), of: Mutex::default() }
    }

    /// Waits for a place and gives it to the attempt; one that has a place needs no second.
    pub(super) async fn take(&self, org: OrgId, keeps: &Keeps) {
        if keeps.has::<Place>() {
            return;
        }
        let of = {
            let mut of = self.of.lock().expect("no panic happens while places are held");
            // One that somebody is about to ask for a place is held by whoever does.
            of.retain(|other, places| *other == org || places.available_permits() < OF_ONE || Arc::strong_count(places) > 1);
            of.entry(org).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))).clone()
        };
        // The organization's own first: who waits for it keeps nobody else from a place.
        let Ok(of) = of.acquire_owned().await else { return };
        let Ok(all) = self.all.clone().acquire_owned().await else { return };
        keeps.keep(Place { _all: all, _of: of });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_organization_leaves_a_place_and_what_is_recorded_gives_its_place_back() {
        let places = Places::new();
        let (one, two) = (OrgId(Uuid::from_u128(1)), OrgId(Uuid::from_u128(2)));
        let take = |org| {
            let keeps = Keeps::default();
            places.take(org, &keeps).now_or_never().map(|()| keeps)
        };
        let mut held: Vec<Keeps> = (0..OF_ONE).map(|_| take(one).expect("there is a place")).collect();
        assert!(take(one).is_none(), "one organization has no more");
        assert!(places.take(one, &held[0]).now_or_never().is_some(), "who has a place needs no second");
        let other = take(two).expect("another one has its place");
        assert!(take(two).is_none(), "all are taken");
        drop(other);
        held.pop();
        held.push(take(one).expect("a place is free again"));
        held.clear();
        assert!(take(two).is_some());
    }
}
