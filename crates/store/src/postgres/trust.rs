//! How long this process may trust its lease: by its own monotonic clock, from the moment that a renewal was sent.
//!
//! The database's row says when others may take a node's runs; a process that was stopped, or that the database does not
//! answer, cannot see that row. What it knows for sure is that the lease which a renewal gave began no earlier than the renewal
//! left. So it trusts itself until that moment and the lease have passed, less a margin, and then begins nothing that others see.

use std::time::Duration;

use tokio::sync::watch;

/// The most that is taken off a lease: what passes between the last look at the clock and the first byte that leaves.
const MARGIN: Duration = Duration::from_secs(2);

/// Taken off at the end of a lease. No more than a fourth of a short one: renewals are sent each third, so three fourths outlast
/// one renewal that failed, and the node need not stand still for it. A third would end at the very moment of the next try.
pub(super) fn margin(lease: Duration) -> Duration {
    MARGIN.min(lease / 4)
}

/// Microseconds of a monotonic clock.
pub(super) type Monotonic = Box<dyn Fn() -> u64 + Send + Sync>;

/// The epoch of this process and until when it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    epoch: i64,
    until: u64,
}

impl Held {
    fn is(&self, epoch: i64, now: u64) -> bool {
        self.epoch == epoch && now < self.until
    }
}

/// What this process believes of its lease.
pub(super) struct Trust {
    monotonic: Monotonic,
    /// Of a lease, in microseconds.
    lasts: u64,
    held: watch::Sender<Held>,
}

impl Trust {
    /// A process without a lease (epoch 0) drives nothing that another could take.
    pub(super) fn new(lease: Duration, monotonic: Monotonic) -> Trust {
        let lasts = u64::try_from((lease - margin(lease)).as_micros()).unwrap_or(u64::MAX);
        Trust { monotonic, lasts, held: watch::Sender::new(Held { epoch: 0, until: u64::MAX }) }
    }

    pub(super) fn epoch(&self) -> i64 {
        self.held.borrow().epoch
    }

    /// Read before a renewal is sent.
    pub(super) fn now(&self) -> u64 {
        (self.monotonic)()
    }

    /// The database gave this process a new epoch when it was asked at `sent`.
    pub(super) fn joined(&self, epoch: i64, sent: u64) {
        self.held.send_replace(Held { epoch, until: sent.saturating_add(self.lasts) });
    }

    /// A renewal that was sent then was answered. One that a later answer overtook says nothing new.
    pub(super) fn renewed(&self, epoch: i64, sent: u64) {
        let until = sent.saturating_add(self.lasts);
        self.held.send_if_modified(|held| {
            let newer = held.epoch == epoch && held.until < until;
            if newer {
                held.until = until;
            }
            newer
        });
    }

    /// This process signed off under an epoch that nobody has.
    pub(super) fn left(&self, epoch: i64) {
        self.held.send_replace(Held { epoch, until: 0 });
    }

    pub(super) fn holds(&self, epoch: i64) -> bool {
        self.held.borrow().is(epoch, self.now())
    }

    /// Resolves when `epoch` is trusted, or is over (`false`).
    pub(super) async fn settled(&self, epoch: i64) -> bool {
        let mut held = self.held.subscribe();
        let known = held.wait_for(|held| held.epoch != epoch || held.is(epoch, self.now())).await;
        known.is_ok_and(|held| held.epoch == epoch)
    }
}

/// The machine's own. It stands still while the machine itself is suspended, which no lease survives: see docs/operations-postgres.md.
#[expect(clippy::disallowed_methods, reason = "a lease is trusted by the time that passes, whatever any clock is set to")]
pub(super) fn monotonic() -> Monotonic {
    let began = std::time::Instant::now();
    Box::new(move || u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn trust(lease: u64) -> (Trust, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let shown = clock.clone();
        (Trust::new(Duration::from_secs(lease), Box::new(move || shown.load(Ordering::SeqCst))), clock)
    }

    #[test]
    fn a_margin_leaves_room_for_a_renewal_that_fails() {
        for lease in [40, 200, 2_000, 10_000, 60_000].map(Duration::from_millis) {
            assert!(lease - margin(lease) > lease / 3 * 2, "{lease:?}");
        }
        assert_eq!((margin(Duration::from_secs(10)), margin(Duration::from_secs(2))), (MARGIN, Duration::from_millis(500)));
    }

    #[test]
    fn trust_ends_by_the_moment_that_a_renewal_was_sent_at() {
        let (trust, clock) = trust(10);
        assert!(trust.holds(0), "without a lease there is nothing to lose");
        trust.joined(7, SECOND);
        clock.store(9 * SECOND - 1, Ordering::SeqCst);
        assert!(trust.holds(7) && !trust.holds(6));
        clock.store(9 * SECOND, Ordering::SeqCst);
        assert!(!trust.holds(7), "ten seconds after it was sent, less two");
        // The answer came late: what counts is when the renewal left.
        trust.renewed(7, SECOND / 2);
        assert!(!trust.holds(7), "an older renewal adds nothing");
        trust.renewed(7, 4 * SECOND);
        assert!(trust.holds(7));
        trust.renewed(8, 8 * SECOND);
        clock.store(12 * SECOND, Ordering::SeqCst);
        assert!(!trust.holds(7) && !trust.holds(8), "another epoch's renewal is not this one's");
    }

    #[test]
    fn whoever_waits_learns_what_became_of_its_epoch() {
        let (trust, clock) = trust(10);
        trust.joined(1, 0);
        assert_eq!(trust.settled(1).now_or_never(), Some(true));
        clock.store(8 * SECOND, Ordering::SeqCst);
        {
            let mut waiting = Box::pin(trust.settled(1));
            assert_eq!(waiting.as_mut().now_or_never(), None, "nobody knows yet");
            trust.renewed(1, 8 * SECOND);
            assert_eq!(waiting.now_or_never(), Some(true));
        }
        clock.store(20 * SECOND, Ordering::SeqCst);
        let mut waiting = Box::pin(trust.settled(1));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        trust.joined(2, 20 * SECOND);
        assert_eq!(waiting.now_or_never(), Some(false), "its runs are somebody else's");
        assert_eq!(trust.settled(2).now_or_never(), Some(true));
        trust.left(-1);
        assert_eq!(trust.settled(2).now_or_never(), Some(false));
    }
}
