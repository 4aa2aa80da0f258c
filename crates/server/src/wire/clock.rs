//! The real clock: the one place that reads the machine's time and waits for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use mainspring_model::clock::{Clock, Millis};

/// The machine's clock.
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the clock is where time enters")]
    pub fn new() -> SystemClock {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        now()
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "the clock is where waiting enters")]
    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(now());
                if left <= 0 {
                    return;
                }
                // In pieces, so that a clock that is set forward is noticed within a minute; never early.
                let left = u64::try_from(left).unwrap_or(0).min(60_000);
                tokio::time::sleep(Duration::from_millis(left)).await;
            }
        })
    }
}

/// Waits for a length of time, whatever the machine's clock is set to meanwhile.
#[expect(clippy::disallowed_methods, reason = "the clock is where waiting enters")]
pub(super) fn pause(length: Duration) -> BoxFuture<'static, ()> {
    Box::pin(tokio::time::sleep(length))
}

#[expect(clippy::disallowed_methods, reason = "the clock is where time enters")]
fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}
