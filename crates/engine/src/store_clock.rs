//! The store's time on a machine whose own clock may be wrong: asked now and then, and counted on by the monotonic clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::store::{RunStore, StoreError};

/// Two clocks part by less than one part in so many.
const DRIFT: u64 = 10_000;
/// A sleep looks at the time again after so many milliseconds: it may have been corrected.
const PIECE: Millis = 60_000;

/// The clock of an engine that shares its store with others. Due times are judged by the store; a node that judged them by its
/// own clock would fire timers early, or take a run up and lay it down again until its clock has caught up. Cheap to clone.
#[derive(Clone)]
pub struct StoreClock(Arc<Inner>);

struct Inner {
    machine: Arc<dyn Clock>,
    /// Waits for a length of time, whatever the machine's clock is set to meanwhile.
    pause: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// The store's time less the monotonic clock's, in milliseconds.
    offset: AtomicI64,
    /// When it was learnt, in microseconds of the monotonic clock; 0: never.
    learnt: AtomicU64,
}

impl StoreClock {
    /// Shows the machine's own time until it is corrected.
    pub fn new(machine: Arc<dyn Clock>, pause: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> StoreClock {
        let offset = machine.now() - millis(machine.monotonic_us());
        StoreClock(Arc::new(Inner { machine, pause: Box::new(pause), offset: AtomicI64::new(offset), learnt: AtomicU64::new(0) }))
    }

    /// Asks the store for its time. What the answer says was true when it left the store, so this clock is behind the store's by
    /// the way back and never ahead of it. Of several answers the one counts that came back fastest.
    ///
    /// # Errors
    /// The store's.
    pub async fn correct(&self, store: &dyn RunStore) -> Result<(), StoreError> {
        let asked = self.0.machine.monotonic_us();
        let now = store.now().await?;
        self.learn(now, asked, self.0.machine.monotonic_us());
        Ok(())
    }

    /// The store said `now` between these two moments of the monotonic clock.
    fn learn(&self, now: Millis, asked: u64, answered: u64) {
        // The begun millisecond counts as whole: rounded the other way, the clock would be ahead by a part of one.
        let (least, most) = (now - millis(answered) - 1, now - millis(asked) + 1);
        let learnt = self.0.learnt.swap(answered.max(1), Ordering::AcqRel);
        let before = self.0.offset.load(Ordering::Acquire) - millis(answered.saturating_sub(learnt) / DRIFT);
        // What was learnt before and can still be true is a bound from below, as this one is: the higher says more. If it can not,
        // the store's clock was set back.
        let offset = if learnt > 0 && before <= most { before.max(least) } else { least };
        self.0.offset.store(offset, Ordering::Release);
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Millis {
        millis(self.0.machine.monotonic_us()) + self.0.offset.load(Ordering::Acquire)
    }

    fn monotonic_us(&self) -> u64 {
        self.0.machine.monotonic_us()
    }

    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(clock.now());
                if left <= 0 {
                    return;
                }
                (clock.0.pause)(Duration::from_millis(left.min(PIECE).unsigned_abs())).await;
            }
        })
    }
}

fn millis(us: u64) -> Millis {
    i64::try_from(us / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A wall clock that can be set, and a monotonic one that cannot.
    #[derive(Default)]
    struct Machine {
        wall: AtomicI64,
        us: AtomicU64,
    }

    impl Clock for Machine {
        fn now(&self) -> Millis {
            self.wall.load(Ordering::SeqCst)
        }
        fn monotonic_us(&self) -> u64 {
            self.us.load(Ordering::SeqCst)
        }
        fn sleep_until(&self, _: Millis) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn it_follows_the_store_whatever_the_machine_is_set_to() {
        let machine = Arc::new(Machine::default());
        let paused = Arc::new(AtomicU64::new(0));
        let (pausing, ticking) = (paused.clone(), machine.clone());
        let clock = StoreClock::new(machine.clone(), move |length| {
            pausing.fetch_add(1, Ordering::SeqCst);
            ticking.us.fetch_add(u64::try_from(length.as_micros()).unwrap(), Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        });
        machine.us.store(10_900, Ordering::SeqCst);
        clock.learn(5_000_000, 9_000, 10_900);
        assert_eq!(clock.now(), 4_999_999, "behind by the part of a millisecond that was rounded off");
        machine.wall.store(3_600_000, Ordering::SeqCst);
        machine.us.fetch_add(2_000_000, Ordering::SeqCst);
        assert_eq!(clock.now(), 5_001_999, "the wall clock's jump changes nothing");
        clock.learn(5_001_000, 0, 2_010_900);
        assert_eq!(clock.now(), 5_001_999, "an answer that took two seconds says too little");
        clock.sleep_until(5_001_999 + 150_000).now_or_never().expect("the pauses were ready");
        assert_eq!(paused.load(Ordering::SeqCst), 3, "in pieces of a minute");
        assert_eq!(clock.now(), 5_151_999, "never early");
    }

    #[test]
    fn the_fastest_answer_counts_until_the_store_is_set() {
        let clock = StoreClock::new(Arc::new(Machine::default()), |_| Box::pin(std::future::ready(())));
        let offset = || clock.0.offset.load(Ordering::SeqCst);
        clock.learn(100_000, 1_000_000, 1_200_000);
        assert_eq!(offset(), 98_799, "two tenths of a second behind, at worst");
        clock.learn(100_300, 1_300_000, 1_301_000);
        assert_eq!(offset(), 98_998, "a fast answer says more");
        clock.learn(101_000, 2_000_000, 2_100_000);
        assert_eq!(offset(), 98_998, "a slow one says nothing new");
        clock.learn(111_000, 12_000_000, 12_100_000);
        assert_eq!(offset(), 98_997, "clocks part with time");
        clock.learn(50_000, 13_000_000, 13_001_000);
        assert_eq!(offset(), 36_998, "set back");
        clock.learn(200_000, 14_000_000, 14_001_000);
        assert_eq!(offset(), 185_998, "set ahead");
    }

    #[test]
    fn the_first_answer_counts_however_slow() {
        let machine = Arc::new(Machine::default());
        let clock = StoreClock::new(machine, |_| Box::pin(std::future::ready(())));
        clock.learn(7_000, 0, 5_000_000);
        assert_eq!(clock.0.offset.load(Ordering::SeqCst), 1_999);
    }
}
