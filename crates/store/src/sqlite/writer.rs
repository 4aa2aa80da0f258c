//! The one writer: takes all that waits, puts it into one transaction, syncs once, and answers everybody.
//!
//! Nothing is delayed to fill a group: while one transaction reaches the disk, the next group gathers by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use mainspring_model::clock::Clock;
use mainspring_model::store::{Committed, StoreError};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Notify, mpsc, oneshot};

use super::commit::Group;
use super::error::Fail;
use super::ledger::{Effects, Ledger};
use super::queue::{Closure, Job, Task};
use crate::lock::EngineLock;
use crate::shared::draft::Draft;
use crate::shared::queue::{Answers, RunJob, again};

/// Bounds of one transaction: how long a waiter may wait for its neighbours, and how much memory they take.
const MOST_JOBS: usize = 8_192;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The queue's entrance.
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Job>,
}

impl Writer {
    /// Starts the writer on a thread of its own: it must go on when the caller's runtime is busy, and it ends by itself when the
    /// entrance is dropped and the queue is empty.
    pub(super) fn start(beginning: Beginning) -> Result<Writer, StoreError> {
        let (queue, jobs) = mpsc::unbounded_channel();
        let failed = |error: std::io::Error| StoreError::Failed(format!("the store's writer could not start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let Beginning { connection, epoch, clock, arrived, place, lock } = beginning;
        let callers = tokio::runtime::Handle::current();
        let mut desk = Desk { connection, ledger: Ledger::new(epoch), clock, arrived, place, callers };
        // Made on the thread, so that what it awaits need not be able to move between threads.
        let work = move || async move {
            let closed = desk.work(jobs).await;
            if let Err(error) = desk.connection.close().await {
                tracing::warn!(%error, "the database was not closed in order; the next start repairs it");
            }
            // Last of all: who takes the lock next must find a database that nobody writes.
            drop(lock);
            if let Some(closed) = closed {
                let _ = closed.send(());
            }
        };
        thread::Builder::new().name("store-writer".to_owned()).spawn(move || runtime.block_on(work())).map_err(failed)?;
        Ok(Writer { queue })
    }

    pub(super) async fn commit(&self, draft: Draft) -> Result<Committed, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job::Run(RunJob { draft: Box::new(draft), answer })).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn run<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: AsyncFn(&mut SqliteConnection) -> Result<T, Fail> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job::Task(Box::new(Closure::new(body, answer)))).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Resolves when everything accepted is on disk and the connection is closed.
    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Close(answer)).is_ok() {
            let _ = answered.await;
        }
    }
}

/// What the writer starts with.
pub(super) struct Beginning {
    pub(super) connection: SqliteConnection,
    pub(super) epoch: i64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) arrived: Arc<Notify>,
    pub(super) place: Arc<str>,
    pub(super) lock: Option<EngineLock>,
}

/// Where the writer works.
struct Desk {
    connection: SqliteConnection,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    arrived: Arc<Notify>,
    place: Arc<str>,
    /// Where the waiters are.
    callers: tokio::runtime::Handle,
}

/// The jobs of one transaction.
#[derive(Default)]
struct Batch {
    runs: Vec<RunJob>,
    tasks: Vec<Box<dyn Task>>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.tasks.is_empty()
    }

    fn is_single(&self) -> bool {
        self.runs.len() + self.tasks.len() == 1
    }
}

impl Desk {
    async fn work(&mut self, mut jobs: mpsc::UnboundedReceiver<Job>) -> Option<oneshot::Sender<()>> {
        let mut arrivals = Vec::new();
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                if jobs.recv_many(&mut arrivals, MOST_JOBS).await == 0 {
                    return None;
                }
                waiting.extend(arrivals.drain(..));
            }
            let (batch, close) = take(&mut waiting);
            if !batch.is_empty() {
                self.process(batch).await;
            }
            if close.is_some() {
                jobs.close();
                return close;
            }
        }
    }

    /// One transaction for all; when it fails by one of them, one for each, so that a bad write does not fail its neighbours.
    async fn process(&mut self, batch: Batch) {
        let single = batch.is_single();
        let Err((fail, batch)) = self.attempt(batch).await else { return };
        if single || fail.is_everyones() {
            let error = fail.stored(&self.place);
            tracing::error!(%error, code = error.code(), "a group of writes was refused");
            refuse(batch, &error);
            return;
        }
        tracing::warn!(error = ?fail, "a group of writes failed by one of them; each is tried alone");
        let alone = |run| Batch { runs: vec![run], tasks: vec![] };
        let singles = batch.runs.into_iter().map(alone);
        let singles = singles.chain(batch.tasks.into_iter().map(|task| Batch { runs: vec![], tasks: vec![task] }));
        for single in singles {
            if let Err((fail, batch)) = self.attempt(single).await {
                let error = fail.stored(&self.place);
                tracing::error!(%error, code = error.code(), "a write was refused");
                refuse(batch, &error);
            }
        }
    }

    async fn attempt(&mut self, mut batch: Batch) -> Result<(), (Fail, Batch)> {
        match self.transaction(&mut batch).await {
            Ok((effects, refused)) => {
                // Before the answers: who was answered and then asks for work finds the notice.
                if effects.arrived {
                    self.arrived.notify_one();
                }
                let verdicts = self.ledger.apply(effects);
                Answers { runs: batch.runs, verdicts }.give(&self.callers);
                for (task, failure) in batch.tasks.into_iter().zip(refused) {
                    task.answer(failure);
                }
                Ok(())
            }
            Err(fail) => {
                // Some failures have rolled back already; then there is nothing to end and the error says so.
                let _ = sqlx::query("rollback").execute(&mut self.connection).await;
                Err((fail, batch))
            }
        }
    }

    async fn transaction(&mut self, batch: &mut Batch) -> Result<(Effects, Vec<Option<StoreError>>), Fail> {
        let begun = sqlx::query("begin immediate; select generation from store_state where only_row = 1");
        let generation: i64 = sqlx::Row::try_get(&begun.fetch_one(&mut self.connection).await?, 0)?;
        let drafts: Vec<&Draft> = batch.runs.iter().map(|job| &*job.draft).collect();
        let group = Group { drafts: &drafts, ledger: &self.ledger, now: self.clock.now(), generation };
        let effects = group.write(&mut self.connection).await?;
        let mut refused = Vec::with_capacity(batch.tasks.len());
        // A task on its own needs no savepoint: what it wrote before it failed goes with the whole transaction.
        let apart = batch.runs.len() + batch.tasks.len() > 1;
        for task in &mut batch.tasks {
            if apart {
                sqlx::query("savepoint task").execute(&mut self.connection).await?;
            }
            match task.run(&mut self.connection).await {
                Ok(()) => refused.push(None),
                Err(fail) if fail.is_everyones() => return Err(fail),
                Err(fail) if !apart => {
                    sqlx::query("rollback").execute(&mut self.connection).await?;
                    return Ok((effects, vec![Some(fail.stored(&self.place))]));
                }
                Err(fail) => {
                    sqlx::query("rollback to task").execute(&mut self.connection).await?;
                    refused.push(Some(fail.stored(&self.place)));
                }
            }
            if apart {
                sqlx::query("release task").execute(&mut self.connection).await?;
            }
        }
        sqlx::query("commit").execute(&mut self.connection).await?;
        Ok((effects, refused))
    }
}

/// Takes the jobs of one transaction from the front.
fn take(waiting: &mut VecDeque<Job>) -> (Batch, Option<oneshot::Sender<()>>) {
    let mut batch = Batch::default();
    let mut bytes = 0;
    while let Some(job) = waiting.pop_front() {
        match job {
            Job::Run(job) => {
                bytes += job.draft.size;
                batch.runs.push(job);
            }
            Job::Task(task) => batch.tasks.push(task),
            Job::Close(answer) => return (batch, Some(answer)),
        }
        if bytes >= MOST_BYTES {
            break;
        }
    }
    (batch, None)
}

fn refuse(batch: Batch, error: &StoreError) {
    for job in batch.runs {
        let _ = job.answer.send(Err(again(error)));
    }
    for task in batch.tasks {
        task.answer(Some(again(error)));
    }
}
