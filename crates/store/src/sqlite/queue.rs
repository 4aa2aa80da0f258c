//! What waits for the writer: run writes, and any other small write as a task that runs in the same transaction.

use futures_util::future::LocalBoxFuture;
use mainspring_model::store::StoreError;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::error::Fail;
use crate::shared::queue::RunJob;

/// One waiter's work.
pub(super) enum Job {
    Run(RunJob),
    Task(Box<dyn Task>),
    /// Everything before it is answered first.
    Close(oneshot::Sender<()>),
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
