//! Virtual time: what happens when, and the clocks that the nodes read it by.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainspring_model::clock::{Clock, Millis};

use super::world::World;

/// 2026-01-01T00:00:00Z: a whole minute, so that slots are easily told.
pub const BEGIN: Millis = 1_767_225_600_000;

type Event = Box<dyn FnOnce(&Arc<World>) + Send>;

/// What is going to happen, by time and then by the order in which it was asked for.
pub struct Agenda(Mutex<Inner>);

struct Inner {
    now: Millis,
    next: u64,
    events: BTreeMap<(Millis, u64), Event>,
}

impl Agenda {
    pub fn new() -> Agenda {
        Agenda(Mutex::new(Inner { now: BEGIN, next: 0, events: BTreeMap::new() }))
    }

    /// The true time; the database's clock shows it too.
    pub fn now(&self) -> Millis {
        self.lock().now
    }

    pub fn at(&self, when: Millis, event: impl FnOnce(&Arc<World>) + Send + 'static) {
        let mut inner = self.lock();
        let place = (when.max(inner.now), inner.next);
        inner.next += 1;
        inner.events.insert(place, Box::new(event));
    }

    /// The next event up to `until`; time moves on to it.
    pub fn take(&self, until: Millis) -> Option<Event> {
        let mut inner = self.lock();
        let entry = inner.events.first_entry()?;
        let (when, _) = *entry.key();
        if when > until {
            return None;
        }
        let event = entry.remove();
        inner.now = when;
        Some(event)
    }

    /// When the next event is.
    pub fn next(&self) -> Option<Millis> {
        self.lock().events.first_key_value().map(|((when, _), _)| *when)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

/// A node's own clock: off by minutes, and jumping. Its monotonic clock counts truly.
#[derive(Clone)]
pub struct NodeClock {
    pub world: Arc<World>,
    pub node: usize,
    pub skew: Arc<AtomicI64>,
}

impl NodeClock {
    /// Waits by the true time.
    pub fn pause(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        let until = self.world.agenda.now() + i64::try_from(how_long.as_millis()).unwrap().max(1);
        let (world, node) = (self.world.clone(), self.node);
        let nap = Nap(Arc::default());
        let mut set = false;
        Box::pin(poll_fn(move |cx| {
            if world.agenda.now() >= until {
                return Poll::Ready(());
            }
            *nap.0.1.lock().unwrap() = Some(cx.waker().clone());
            if !set {
                set = true;
                let sleeper = nap.0.clone();
                world.agenda.at(until, move |world| {
                    if !sleeper.0.load(Ordering::SeqCst)
                        && let Some(waker) = sleeper.1.lock().unwrap().take()
                    {
                        waker.wake();
                        world.touch(node);
                    }
                });
            }
            Poll::Pending
        }))
    }
}

/// A sleeper; nobody is woken for one that was dropped.
struct Nap(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Drop for Nap {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Millis {
        self.world.agenda.now() + self.skew.load(Ordering::SeqCst)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.world.agenda.now() - BEGIN).unwrap() * 1_000 + 1
    }

    /// As the machine's real clock waits: by its wall time, in pieces of a minute.
    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(clock.now());
                if left <= 0 {
                    return;
                }
                clock.pause(Duration::from_millis(u64::try_from(left.min(60_000)).unwrap())).await;
            }
        })
    }
}
