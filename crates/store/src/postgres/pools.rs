//! Pools: a few connections for each kind of caller, so that none starves another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mainspring_model::store::{Pool, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres};

use super::error::Fail;
use super::session::{Scope, Session, Terms};

/// Connections that have a task of their own each, counted by those tasks.
#[derive(Default)]
pub(super) struct Tally {
    most: AtomicU32,
    open: AtomicU32,
    in_use: AtomicU32,
}

impl Tally {
    /// There is a task that may open a connection.
    pub(super) fn expect(&self, count: u32) {
        self.most.fetch_add(count, Ordering::Relaxed);
    }

    /// A connection is used until the answer is dropped; then `Used::kept` says whether it is still there.
    pub(super) fn use_one(&self, was_open: bool) -> Used<'_> {
        self.in_use.fetch_add(1, Ordering::Relaxed);
        if !was_open {
            self.open.fetch_add(1, Ordering::Relaxed);
        }
        Used { tally: self, open: false }
    }

    /// One that nobody used was closed.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn figures(&self, name: &'static str) -> Pool {
        let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
        let (open, in_use) = (of(&self.open), of(&self.in_use));
        Pool { name, shared: false, most: of(&self.most), open, idle: open.saturating_sub(in_use), waiting: 0 }
    }
}

/// Counts a connection as in use, also when its user is dropped.
pub(super) struct Used<'a> {
    tally: &'a Tally,
    open: bool,
}

impl Used<'_> {
    /// Whether the connection is still open afterwards.
    pub(super) fn kept(mut self, open: bool) {
        self.open = open;
    }
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        self.tally.in_use.fetch_sub(1, Ordering::Relaxed);
        if !self.open {
            self.tally.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A pool and who waits for it.
pub(super) struct Lane {
    name: &'static str,
    terms: Arc<Terms>,
    pool: PgPool,
    waiting: AtomicU32,
}

/// Counts a caller as waiting, also when it gives up.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    /// Connections are made when they are first needed and kept.
    pub(super) fn new(name: &'static str, terms: &Arc<Terms>, most: u32) -> Lane {
        let pool = PgPoolOptions::new()
            .max_connections(most.max(1))
            .min_connections(0)
            // A broken one is found by the transaction that it was wanted for, which then takes the next.
            .test_before_acquire(false)
            .idle_timeout(None)
            // Connections are renewed now and then, so that a moved or rebalanced server is found.
            .max_lifetime(Duration::from_secs(30 * 60))
            .acquire_timeout(terms.deadline)
            .connect_lazy_with(terms.connect.clone());
        Lane { name, terms: Arc::clone(terms), pool, waiting: AtomicU32::new(0) }
    }

    /// Begins a transaction. Nothing was done yet when a connection turns out to be dead, so another is taken.
    /// Nobody is asked while nobody can be.
    pub(super) async fn open(&self, scope: Scope, writes: bool, fence: Option<i64>) -> Result<Session, Fail> {
        let pass = self.terms.breaker.pass()?;
        pass.ended(self.begin(scope, writes, fence).await)
    }

    async fn begin(&self, scope: Scope, writes: bool, fence: Option<i64>) -> Result<Session, Fail> {
        let mut broken = 0;
        loop {
            let mut lease = self.acquire().await?;
            let begun = tokio::time::timeout(self.terms.deadline, self.terms.begin(scope, writes, fence, &mut lease)).await;
            match begun {
                Ok(Ok(opened)) => return Ok(Session::new(Arc::clone(&self.terms), lease, opened)),
                Ok(Err(fail)) => {
                    drop(lease.detach());
                    if !fail.is_the_connections() || broken > self.pool.options().get_max_connections() {
                        return Err(fail);
                    }
                    broken += 1;
                }
                Err(_) => {
                    drop(lease.detach());
                    return Err(self.terms.late().into());
                }
            }
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, Fail> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        match self.pool.acquire().await {
            Ok(connection) => Ok(connection),
            // The pool was not full, so it is the server that did not answer.
            Err(sqlx::Error::PoolTimedOut) if self.pool.size() < self.pool.options().get_max_connections() => {
                Err(Fail::Store(StoreError::Unreachable {
                    place: self.terms.place.to_string(),
                    reason: format!("no connection within {} ms", self.terms.deadline.as_millis()),
                }))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn figures(&self) -> Pool {
        Pool {
            name: self.name,
            shared: true,
            most: self.pool.options().get_max_connections(),
            open: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
