//! What waits for the writer: drafts of run writes, and any other small write as a task that runs in the same transaction.

use futures_util::future::LocalBoxFuture;
use mainspring_model::store::{Committed, StoreError};
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::draft::Draft;
use super::error::Fail;

/// One waiter's work.
pub(super) enum Job {
    Run(RunJob),
    Task(Box<dyn Task>),
    /// Everything before it is answered first.
    Close(oneshot::Sender<()>),
}

/// A run's write and who waits for it.
pub(super) struct RunJob {
    /// Boxed: a job changes its place several times on its way through the queue.
    pub(super) draft: Box<Draft>,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// What a transaction's waiters are told, each exactly once: by [`Answers::give`], or by the drop if that never runs.
pub(super) struct Answers {
    pub(super) runs: Vec<RunJob>,
    pub(super) verdicts: Vec<Result<Committed, StoreError>>,
}

/// So many waiters are woken by the writer itself.
const FEW: usize = 8;

impl Answers {
    /// Waking thousands of tasks and freeing their drafts takes about as long as judging them, and from a foreign thread each
    /// wake-up takes the scheduler's lock; so the callers' own runtime does it while the writer goes on.
    pub(super) fn give(self, runtime: &tokio::runtime::Handle) {
        if self.runs.len() > FEW {
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for (job, verdict) in self.runs.drain(..).zip(self.verdicts.drain(..)) {
            // A waiter that went away has its write all the same.
            let _ = job.answer.send(verdict);
        }
    }
}

/// A write that is more than a row of values. It may be run more than once; only what a committed transaction saw counts.
pub(super) trait Task: Send {
    fn run<'a>(&'a mut self, connection: &'a mut SqliteConnection) -> LocalBoxFuture<'a, Result<(), Fail>>;
    /// Tells the waiter: what the last run gave, or why it cannot be.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

/// A [`Task`] from an async closure.
pub(super) struct Closure<T, F> {
    body: F,
    given: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Closure<T, F> {
    pub(super) fn new(body: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Closure<T, F> {
        Closure { body, given: None, answer }
    }
}

impl<T, F> Task for Closure<T, F>
where
    T: Send,
    F: AsyncFn(&mut SqliteConnection) -> Result<T, Fail> + Send,
{
    fn run<'a>(&'a mut self, connection: &'a mut SqliteConnection) -> LocalBoxFuture<'a, Result<(), Fail>> {
        Box::pin(async move {
            self.given = None;
            self.given = Some((self.body)(connection).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let given = match (failure, self.given) {
            (Some(error), _) => Err(error),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(StoreError::Closed),
        };
        // A waiter that went away has its write all the same.
        let _ = self.answer.send(given);
    }
}
