//! The clock as a value that is handed in, so that tests move time instead of waiting for it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use futures_util::future::BoxFuture;

/// A moment, in Unix milliseconds. The journal's and the store's only unit of time.
pub type Millis = i64;

/// Wall time and waiting. The one real implementation lives in the server's wiring.
pub trait Clock: Send + Sync {
    /// Unix milliseconds now.
    fn now(&self) -> Millis;
    /// Microseconds of a monotonic clock with any origin, to measure how long something took.
    fn monotonic_us(&self) -> u64;
    /// Resolves once `now() >= until`; at once when that is past. Never early.
    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()>;
}

/// A clock that stands still until told otherwise; its sleepers wake in [`FakeClock::advance_to`].
#[derive(Clone, Default)]
pub struct FakeClock(Arc<Mutex<FakeTime>>);

#[derive(Default)]
struct FakeTime {
    now: Millis,
    sleepers: Vec<(Millis, Waker)>,
}

impl FakeClock {
    pub fn at(now: Millis) -> FakeClock {
        FakeClock(Arc::new(Mutex::new(FakeTime { now, sleepers: Vec::new() })))
    }

    /// Moves time forward to `now` and wakes whoever waited for a moment up to it. Time never goes back.
    pub fn advance_to(&self, now: Millis) {
        let mut time = self.lock();
        time.now = time.now.max(now);
        let now = time.now;
        let (due, rest) = std::mem::take(&mut time.sleepers).into_iter().partition(|(until, _)| *until <= now);
        time.sleepers = rest;
        drop(time);
        let due: Vec<(Millis, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The earliest moment somebody waits for.
    pub fn next_sleeper(&self) -> Option<Millis> {
        self.lock().sleepers.iter().map(|(until, _)| *until).min()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FakeTime> {
        self.0.lock().expect("no panic happens while the fake time is held")
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Millis {
        self.lock().now
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.now()).unwrap_or(0) * 1_000
    }

    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(poll_fn(move |cx| {
            let mut time = clock.lock();
            if time.now >= until {
                return Poll::Ready(());
            }
            time.sleepers.push((until, cx.waker().clone()));
            Poll::Pending
        }))
    }
}
