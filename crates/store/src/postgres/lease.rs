//! The keeper: a thread of its own that renews the lease, sweeps, makes the journal's days and carries notices, so that neither
//! busy steps nor a busy pool can make a live node look dead.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainspring_model::store::StoreError;
use sqlx::PgConnection;
use tokio::sync::oneshot;

use super::days;
use super::error::Fail;
use super::nodes::Node;
use super::notices::Notices;
use super::session::Terms;
use super::sweep;

/// Between two looks at whether tomorrow's partition is there.
const DAYS: Duration = Duration::from_secs(3_600);

/// Ends its thread when it is dropped, without a word to the database: the lease runs out by itself.
pub(super) struct Keeper {
    _stop: oneshot::Sender<()>,
}

impl Keeper {
    pub(super) fn start(terms: Arc<Terms>, node: Arc<Node>, notices: Arc<Notices>, sweep: Option<Duration>) -> Result<Keeper, StoreError> {
        let (stop, stopped) = oneshot::channel();
        let failed = |error: std::io::Error| StoreError::Failed(format!("the keeper of the lease could not start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let lines = if node.epoch() == 0 { 1 } else { 2 + u32::from(sweep.is_some()) };
        terms.leases.expect(lines);
        let work = async move {
            let keeping = async {
                tokio::join!(
                    renew(&terms, &node),
                    sweep_on(sweep, &terms, &node, &notices),
                    make_days(&terms),
                    notices.send(&terms, &node),
                    notices.listen(&terms, &node)
                )
            };
            tokio::select! {
                _ = keeping => {}
                _ = stopped => {}
            }
        };
        thread::Builder::new().name("store-lease".to_owned()).spawn(move || runtime.block_on(work)).map_err(failed)?;
        Ok(Keeper { _stop: stop })
    }
}

/// Between renewals when the last one failed: the lease is running out, and whoever waits for the database waits for this.
const AGAIN: Duration = Duration::from_millis(500);

/// A connection that is made when it is needed and given up when it fails.
struct Line<'a> {
    terms: &'a Terms,
    deadline: Duration,
    /// It asks even when callers are not let through: by it everybody learns that the database is there again.
    probes: bool,
    open: Option<PgConnection>,
}

impl<'a> Line<'a> {
    fn new(terms: &'a Terms) -> Line<'a> {
        Line { terms, deadline: terms.deadline, probes: false, open: None }
    }

    async fn with<T>(&mut self, body: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Fail>) -> Result<T, Fail> {
        let pass = if self.probes { None } else { Some(self.terms.breaker.pass()?) };
        let kept = self.open.is_some();
        let used = self.terms.leases.use_one(kept);
        let done = async {
            if self.open.is_none() {
                self.open = Some(self.terms.connect().await?);
            }
            match &mut self.open {
                Some(connection) => body(connection).await,
                None => Err(StoreError::Closed.into()),
            }
        };
        let done = tokio::time::timeout(self.deadline, done).await.unwrap_or_else(|_| Err(self.terms.late().into()));
        if done.is_err() {
            self.open = None;
        }
        // That a connection broke says nothing yet: the next attempt makes a new one.
        if !(kept && matches!(done, Err(Fail::Sql(_)))) {
            self.terms.breaker.note(done.as_ref().err());
        }
        used.kept(self.open.is_some());
        drop(pass);
        done
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

async fn renew(terms: &Terms, node: &Node) {
    if node.epoch() == 0 {
        return;
    }
    let period = (node.lease / 3).max(Duration::from_millis(10));
    // A connection that leads nowhere must not cost more than one beat.
    let mut line = Line { deadline: period.min(terms.deadline), probes: true, ..Line::new(terms) };
    let mut beat = every(period);
    loop {
        beat.tick().await;
        let no = node.epoch();
        let renewed = line.with(async |connection| {
            if !node.renew(no, connection).await? {
                node.join_again(no, connection).await?;
            }
            Ok(())
        });
        if let Err(fail) = renewed.await {
            tracing::warn!(error = %fail.stored(&terms.place), "the lease could not be renewed; trying again");
            beat.reset_after(AGAIN.min(period));
        }
    }
}

async fn sweep_on(period: Option<Duration>, terms: &Terms, node: &Node, notices: &Notices) {
    let (Some(period), true) = (period, node.epoch() != 0) else { return };
    let mut line = Line::new(terms);
    let mut beat = every(period);
    loop {
        beat.tick().await;
        match line.with(async |connection| sweep::sweep(terms, connection).await).await {
            Ok(0) => {}
            Ok(_) => notices.tell(),
            Err(fail) => tracing::warn!(error = %fail.stored(&terms.place), "a sweep failed; the next one goes on"),
        }
    }
}

async fn make_days(terms: &Terms) {
    let mut line = Line::new(terms);
    let mut beat = every(DAYS);
    loop {
        beat.tick().await;
        if let Err(fail) = line.with(async |connection| days::make(connection).await).await {
            tracing::warn!(error = %fail.stored(&terms.place), "the journal's next days could not be made; its rows go to journal_rest");
        }
        // Not kept for an hour of nothing.
        if line.open.take().is_some() {
            terms.leases.closed();
        }
    }
}
