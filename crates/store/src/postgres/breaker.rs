//! The circuit breaker around the database: once it cannot be reached, callers are refused at once instead of waiting their turn.
//!
//! Only reaching the server counts. A statement that is refused, a full disk or a lost race is an answer, and closes the circuit.
//! The lease's own connection is never held back: it asks twice a second while nobody answers, so the circuit closes within that
//! time of the server's return. A process without a lease lets one caller through every second to find out.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use mainspring_model::store::{Circuit, Reach, StoreError};

use super::error::Fail;
use super::trust::Monotonic;

/// Failures in a row to reach the server. One is a connection that it ended, two a restart that was over at once.
const ENOUGH: u32 = 3;
/// Between probes of callers, in microseconds.
const APART: u64 = 1_000_000;

/// What became of the last attempts to reach the server, over all connections.
pub(super) struct Breaker {
    monotonic: Monotonic,
    place: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// In a row, up to now.
    misses: u32,
    /// When the first of them was.
    since: u64,
    /// From when on a caller may probe.
    probe_at: u64,
    /// One does.
    probing: bool,
}

impl Seen {
    fn is_open(&self) -> bool {
        self.misses >= ENOUGH
    }
}

/// A caller that was let through. Dropped without a word, its probe is over and said nothing.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.lock().probing = false;
        }
    }
}

impl Pass<'_> {
    /// Notes how it ended.
    pub(super) fn ended<T>(self, done: Result<T, Fail>) -> Result<T, Fail> {
        self.breaker.note(done.as_ref().err());
        done
    }
}

impl Breaker {
    pub(super) fn new(place: &str, monotonic: Monotonic) -> Breaker {
        Breaker { monotonic, place: place.to_owned(), seen: Mutex::default() }
    }

    /// Lets a caller through, or says at once that it would be in vain.
    pub(super) fn pass(&self) -> Result<Pass<'_>, Fail> {
        let now = (self.monotonic)();
        let mut seen = self.lock();
        if !seen.is_open() {
            return Ok(Pass { breaker: self, probe: false });
        }
        if seen.probing || now < seen.probe_at {
            let (misses, seconds) = (seen.misses, now.saturating_sub(seen.since) / 1_000_000);
            let reason = format!("{misses} attempts in a row failed, the first {seconds} s ago; it is not asked until one succeeds");
            return Err(StoreError::Unreachable { place: self.place.clone(), reason }.into());
        }
        seen.probing = true;
        Ok(Pass { breaker: self, probe: true })
    }

    /// How an attempt to reach the server ended.
    pub(super) fn note(&self, fail: Option<&Fail>) {
        let now = (self.monotonic)();
        let mut seen = self.lock();
        if fail.is_none_or(|fail| !fail.is_out_of_reach()) {
            if seen.is_open() {
                tracing::warn!(after_s = now.saturating_sub(seen.since) / 1_000_000, "the database answers again");
            }
            *seen = Seen::default();
            return;
        }
        if seen.misses == 0 {
            seen.since = now;
        }
        seen.misses = seen.misses.saturating_add(1);
        seen.probe_at = now.saturating_add(APART);
        if seen.misses == ENOUGH {
            tracing::error!(place = self.place, "the database cannot be reached; callers are refused at once until it answers");
        }
    }

    pub(super) fn reach(&self) -> Reach {
        let now = (self.monotonic)();
        let seen = self.lock();
        let circuit = match (seen.is_open(), seen.probing || now >= seen.probe_at) {
            (false, _) => Circuit::Closed,
            (true, false) => Circuit::Open,
            (true, true) => Circuit::HalfOpen,
        };
        let lost_for = (seen.misses > 0).then(|| Duration::from_micros(now.saturating_sub(seen.since)));
        Reach { circuit, lost_for }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic happens while the breaker is held")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn breaker() -> (Breaker, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let shown = clock.clone();
        (Breaker::new("db:5432/x", Box::new(move || shown.load(Ordering::SeqCst))), clock)
    }

    fn lost() -> Fail {
        Fail::Sql(sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()))
    }

    fn miss(breaker: &Breaker) {
        drop(breaker.pass().unwrap().ended(Err::<(), _>(lost())));
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_refuses_at_once() {
        let (breaker, _) = breaker();
        miss(&breaker);
        miss(&breaker);
        drop(breaker.pass().unwrap().ended(Ok(())));
        miss(&breaker);
        miss(&breaker);
        assert_eq!(breaker.reach().circuit, Circuit::Closed, "never three in a row");
        miss(&breaker);
        assert_eq!(breaker.reach().circuit, Circuit::Open);
        let refused = breaker.pass().err().unwrap().stored("");
        assert_eq!(refused.code(), "STORE_UNREACHABLE");
        assert!(refused.to_string().contains("3 attempts in a row"), "{refused}");
    }

    #[test]
    fn one_caller_at_a_time_finds_out() {
        let (breaker, clock) = breaker();
        (0..3).for_each(|_| miss(&breaker));
        clock.store(APART - 1, Ordering::SeqCst);
        assert!(breaker.pass().is_err());
        clock.store(APART, Ordering::SeqCst);
        assert_eq!(breaker.reach().circuit, Circuit::HalfOpen);
        let probe = breaker.pass().unwrap();
        assert!(breaker.pass().is_err(), "one is under way");
        drop(probe);
        let probe = breaker.pass().expect("one that was given up is no failure, and the next may go");
        assert!(probe.ended(Err::<(), _>(lost())).is_err());
        assert!(breaker.pass().is_err(), "it failed: not before another second");
        assert_eq!(breaker.reach().lost_for, Some(Duration::from_micros(APART)), "counted from the first failure");
        clock.store(2 * APART, Ordering::SeqCst);
        breaker.pass().unwrap().ended(Ok(())).unwrap();
        assert_eq!(breaker.reach(), Reach::default());
        assert!(breaker.pass().is_ok());
    }

    #[test]
    fn an_answer_is_an_answer_whatever_it_says() {
        let (breaker, _) = breaker();
        for answered in [
            Fail::damaged("a row"),
            StoreError::Full { place: String::new() }.into(),
            StoreError::Busy { place: String::new(), reason: String::new() }.into(),
            Fail::Sql(sqlx::Error::PoolTimedOut),
            Fail::Sql(sqlx::Error::RowNotFound),
        ] {
            miss(&breaker);
            miss(&breaker);
            breaker.note(Some(&answered));
            assert_eq!(breaker.reach().lost_for, None, "{answered:?}");
        }
    }
}
