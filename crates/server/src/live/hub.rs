//! The hub: which feeds there are on this node, and how word of a change reaches them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::store::{Store, StoreError};

use super::list::List;
use super::look;
use super::redis::Redis;
use super::trail::{self, Trail};

/// Bounds and times of live updates.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// One process does everything, so that its own bell tells of every run.
    pub alone: bool,
    /// How often a feed looks at the store when nobody rings, in milliseconds.
    pub look: Millis,
    /// The same while word from the other nodes comes in.
    pub look_when_told: Millis,
    /// A reader that takes nothing for this long is dropped, in milliseconds.
    pub patience: Millis,
    /// Between two pings, in milliseconds; a socket from which nothing comes for three times this is closed.
    pub ping: Millis,
    /// Topics of one reader.
    pub most_topics: usize,
    /// Readers of one organization on one node.
    pub most_readers: usize,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { alone: true, look: 1_000, look_when_told: 5_000, patience: 10_000, ping: 25_000, most_topics: 100, most_readers: 2_000 }
    }
}

/// Readers of all organizations on one node.
pub const MOST_READERS: usize = 10_000;
/// Runs that are followed on one node.
const MOST_TRAILS: usize = 20_000;
/// Followed runs up to which each is looked at as often as [`Terms::look`] says; more share that rate.
const TRAILS_AT_FULL_PACE: usize = 200;

pub struct Hub {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub terms: Terms,
    feeds: Mutex<Feeds>,
    /// Of all feeds; a change costs one atomic read when there are none.
    count: AtomicUsize,
    next_tag: AtomicU64,
    neighbours: OnceLock<Arc<Redis>>,
    readers: Mutex<HashMap<OrgId, usize>>,
}

#[derive(Default)]
struct Feeds {
    lists: HashMap<OrgId, Arc<List>>,
    trails: HashMap<RunId, Arc<Trail>>,
}

impl Hub {
    /// `tag` is random: places in lists are told apart by it from those of other nodes and of the process before.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, terms: Terms, tag: u64) -> Arc<Hub> {
        Arc::new(Hub {
            store,
            clock,
            terms,
            feeds: Mutex::default(),
            count: AtomicUsize::new(0),
            next_tag: AtomicU64::new(tag),
            neighbours: OnceLock::new(),
            readers: Mutex::default(),
        })
    }

    /// Changes here are told to the other nodes from now on.
    pub fn tell_by(&self, redis: Arc<Redis>) {
        drop(self.neighbours.set(redis));
    }

    /// A run changed here; it is durable.
    pub fn changed(&self, org: OrgId, run: RunId) {
        self.ring(org, Some(run));
        if let Some(neighbours) = self.neighbours.get() {
            neighbours.tell(org, Some(run));
        }
    }

    /// Plans or schedules of the organization, or notifications of its people, changed here.
    pub fn plans_changed(&self, org: OrgId) {
        self.ring(org, None);
        if let Some(neighbours) = self.neighbours.get() {
            neighbours.tell(org, None);
        }
    }

    /// Makes whoever follows the run, or the organization, look.
    pub(super) fn ring(&self, org: OrgId, run: Option<RunId>) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let feeds = self.lock();
        if let Some(list) = feeds.lists.get(&org) {
            list.bell.ring(run);
        }
        if let Some(trail) = run.and_then(|run| feeds.trails.get(&run)) {
            trail.bell.ring(None);
        }
    }

    /// Makes everybody look: word may have been lost.
    pub(super) fn ring_all(&self) {
        let feeds = self.lock();
        feeds.lists.values().for_each(|list| list.bell.ring(None));
        feeds.trails.values().for_each(|trail| trail.bell.ring(None));
    }

    /// When a list looks again by itself.
    pub(super) fn next_look(&self) -> Millis {
        let told = self.neighbours.get().is_some_and(|neighbours| neighbours.is_up());
        self.clock.now() + if told { self.terms.look_when_told } else { self.terms.look }
    }

    /// When a followed run is looked at again by itself.
    pub(super) fn next_trail_look(&self) -> Millis {
        let crowd = 1 + self.count.load(Ordering::Acquire) / TRAILS_AT_FULL_PACE;
        let now = self.clock.now();
        let every = if self.terms.alone { self.terms.look_when_told } else { self.next_look() - now };
        now + every * i64::try_from(crowd).unwrap_or(1)
    }

    /// The organization's list, begun when there is none.
    pub(super) fn list(self: &Arc<Self>, org: OrgId, join: impl FnOnce(&List)) -> Arc<List> {
        let mut feeds = self.lock();
        if let Some(list) = feeds.lists.get(&org) {
            join(list);
            return list.clone();
        }
        let tag = self.next_tag.fetch_add(1, Ordering::Relaxed);
        // Clocks of nodes differ by a little: what began just before counts as new.
        let skew = if self.terms.alone { 0 } else { 500 };
        let list = Arc::new(List::new(org, tag, self.clock.now() - skew));
        join(&list);
        feeds.lists.insert(org, list.clone());
        self.count.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(look::follow(self.clone(), list.clone()));
        list
    }

    /// The run's trail, begun behind `after` when there is none; `None` when too many are followed already.
    pub(super) fn trail(self: &Arc<Self>, org: OrgId, run: RunId, after: u32, join: impl FnOnce(&Trail)) -> Option<Arc<Trail>> {
        let mut feeds = self.lock();
        if let Some(trail) = feeds.trails.get(&run) {
            join(trail);
            return Some(trail.clone());
        }
        if feeds.trails.len() >= MOST_TRAILS {
            return None;
        }
        let trail = Arc::new(Trail::new(org, run, after));
        join(&trail);
        feeds.trails.insert(run, trail.clone());
        self.count.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(trail::follow(self.clone(), trail.clone()));
        Some(trail)
    }

    /// Forgets a list nobody listens to; `false` when somebody came meanwhile.
    pub(super) fn leave_list(&self, list: &Arc<List>) -> bool {
        let mut feeds = self.lock();
        if list.listeners.any() {
            return false;
        }
        if feeds.lists.remove(&list.org).is_some() {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        true
    }

    /// Forgets a trail that is over, or nobody follows; `false` when somebody came meanwhile.
    pub(super) fn leave_trail(&self, trail: &Arc<Trail>) -> bool {
        let mut feeds = self.lock();
        if !trail.is_over() && trail.listeners.any() {
            return false;
        }
        if feeds.trails.get(&trail.run).is_some_and(|known| Arc::ptr_eq(known, trail)) {
            feeds.trails.remove(&trail.run);
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        true
    }

    /// Waits after the store failed. `false`: it is closed, and nothing will come any more.
    pub(super) async fn breathe(&self, error: &StoreError) -> bool {
        if matches!(error, StoreError::Closed) {
            return false;
        }
        tracing::warn!(%error, "live updates could not be read; trying again");
        self.clock.sleep_until(self.clock.now() + 1_000).await;
        true
    }

    /// One more reader of the organization; `false` when there are too many.
    pub(super) fn admit(&self, org: OrgId) -> bool {
        let mut readers = self.readers.lock().expect("no panic happens while the readers are counted");
        if readers.values().sum::<usize>() >= MOST_READERS {
            return false;
        }
        let count = readers.entry(org).or_default();
        let admitted = *count < self.terms.most_readers;
        *count += usize::from(admitted);
        admitted
    }

    /// Readers of all organizations, now.
    pub fn readers(&self) -> usize {
        self.readers.lock().expect("no panic happens while the readers are counted").values().sum()
    }

    pub(super) fn dismiss(&self, org: OrgId) {
        let mut readers = self.readers.lock().expect("no panic happens while the readers are counted");
        if let Some(count) = readers.get_mut(&org) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&org);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Feeds> {
        self.feeds.lock().expect("no panic happens while the feeds are held")
    }
}
