//! Whether the engine's loops still turn: each leaves the moment of its last turn, and readiness looks at how old it is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::Engine;

/// A loop turns at least once a second; one that has not for this long, in microseconds, is stuck.
const STUCK: u64 = 30_000_000;

/// How a loop of the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// Not begun: what an earlier process left is being taken up first.
    Starting,
    Turning,
    /// It has not turned for so many milliseconds.
    Stuck(u64),
}

/// The moment of a loop's last turn, by the monotonic clock. 0 before the first one.
#[derive(Debug, Default)]
pub(crate) struct Pulse(AtomicU64);

impl Pulse {
    pub(crate) fn beat(&self, now_us: u64) {
        self.0.store(now_us.max(1), Ordering::Release);
    }

    fn at(&self, now_us: u64) -> Loop {
        match self.0.load(Ordering::Acquire) {
            0 => Loop::Starting,
            last if now_us.saturating_sub(last) > STUCK => Loop::Stuck((now_us - last) / 1_000),
            _ => Loop::Turning,
        }
    }
}

impl Engine {
    /// The loop that takes up queued and due runs.
    pub fn queue_loop(&self) -> Loop {
        self.0.queue_pulse.at(self.0.clock.monotonic_us())
    }

    /// The loop that fires schedules.
    pub fn schedule_loop(&self) -> Loop {
        self.0.schedule_pulse.at(self.0.clock.monotonic_us())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_stuck() {
        let pulse = Pulse::default();
        assert_eq!(pulse.at(99 * STUCK), Loop::Starting);
        pulse.beat(0);
        assert_eq!(pulse.at(5), Loop::Turning);
        pulse.beat(7_000);
        assert_eq!(pulse.at(7_000 + STUCK), Loop::Turning);
        assert_eq!(pulse.at(8_000 + STUCK), Loop::Stuck(30_001));
    }
}
