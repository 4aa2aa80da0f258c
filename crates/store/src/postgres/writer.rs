//! The writers: each takes all that waits for it, puts it into one transaction behind the node's fence, and answers everybody.
//!
//! Nothing is delayed to fill a group: while one transaction reaches the disk, the next group gathers by itself. A run's writes
//! always go to the same writer, so that they keep their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainspring_model::id::RunId;
use mainspring_model::store::{Committed, StoreError};
use sqlx::{Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};

use super::commit::Group;
use super::error::Fail;
use super::ledger::{Effects, Ledger, Place};
use super::nodes::Node;
use super::notices::Notices;
use super::roll_back;
use super::session::{Fate, Opened, Terms, Xid};
use crate::shared::draft::Draft;
use crate::shared::judge::Known;
use crate::shared::queue::{Answers, RunJob, again};

/// Bounds of one transaction: how long a waiter may wait for its neighbours, and how much memory they take.
const MOST_JOBS: usize = 8_192;
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Attempts at a transaction that lost a race or its connection.
const ATTEMPTS: u32 = 5;
/// Between attempts to reach the server.
const PAUSE: Duration = Duration::from_millis(100);

/// Shards of an organization's counters. Writers of several nodes share one now and then, which costs a wait and nothing else.
const SHARDS: i64 = 128;

/// What waits for a writer.
enum Job {
    Run(RunJob),
    /// A run that was claimed just now.
    Learn(RunId, Box<Known<Place>>),
    /// Everything before it is answered first.
    Close(oneshot::Sender<()>),
}

/// The queues' entrances.
pub(super) struct Writers {
    queues: Vec<mpsc::UnboundedSender<Job>>,
}

impl Writers {
    /// Each on a thread of its own: they must go on when the callers' runtime is busy, and end by themselves when the entrances
    /// are dropped and the queues are empty.
    pub(super) fn start(count: u32, terms: &Arc<Terms>, node: &Arc<Node>, notices: &Arc<Notices>) -> Result<Writers, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed(format!("a writer of the store could not start: {error}"));
        terms.writers.expect(count.max(1));
        let mut queues = Vec::new();
        for number in 0..i64::from(count.max(1)) {
            let (queue, jobs) = mpsc::unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            let desk = Desk {
                connection: None,
                ledger: Ledger::new(node.epoch()),
                terms: Arc::clone(terms),
                node: Arc::clone(node),
                notices: Arc::clone(notices),
                callers: tokio::runtime::Handle::current(),
                number,
            };
            let work = move || runtime.block_on(desk.work(jobs));
            thread::Builder::new().name(format!("store-writer-{number}")).spawn(work).map_err(failed)?;
            queues.push(queue);
        }
        Ok(Writers { queues })
    }

    fn queue_of(&self, run: RunId) -> &mpsc::UnboundedSender<Job> {
        // The end of an id is random.
        let [.., last] = run.0.as_bytes();
        &self.queues[usize::from(*last) % self.queues.len()]
    }

    pub(super) async fn commit(&self, draft: Draft) -> Result<Committed, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = RunJob { draft: Box::new(draft), answer };
        self.queue_of(job.draft.run).send(Job::Run(job)).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Before anybody is told of the claim, so that no write of the run can be ahead of it.
    pub(super) fn learn(&self, run: RunId, known: Known<Place>) {
        let _ = self.queue_of(run).send(Job::Learn(run, Box::new(known)));
    }

    /// Resolves when everything accepted is on disk and the connections are closed.
    pub(super) async fn close(&self) {
        for queue in &self.queues {
            let (answer, answered) = oneshot::channel();
            if queue.send(Job::Close(answer)).is_ok() {
                let _ = answered.await;
            }
        }
    }
}

/// Where one writer works.
struct Desk {
    connection: Option<PgConnection>,
    ledger: Ledger,
    terms: Arc<Terms>,
    node: Arc<Node>,
    notices: Arc<Notices>,
    /// Where the waiters are.
    callers: tokio::runtime::Handle,
    number: i64,
}

impl Desk {
    async fn work(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut arrivals = Vec::new();
        let mut waiting = VecDeque::new();
        let closed = loop {
            if waiting.is_empty() {
                if jobs.recv_many(&mut arrivals, MOST_JOBS).await == 0 {
                    break None;
                }
                waiting.extend(arrivals.drain(..));
            }
            let (batch, close) = self.take(&mut waiting);
            if !batch.is_empty() {
                self.process(batch).await;
            }
            if close.is_some() {
                jobs.close();
                break close;
            }
        };
        if let Some(connection) = self.connection.take() {
            self.terms.writers.closed();
            let _ = connection.close().await;
        }
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Takes the jobs of one transaction from the front.
    fn take(&mut self, waiting: &mut VecDeque<Job>) -> (Vec<RunJob>, Option<oneshot::Sender<()>>) {
        // Before anything is learned: what is learned is of the present epoch.
        self.ledger.turn_to(self.node.epoch());
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < MOST_BYTES {
            match waiting.pop_front() {
                Some(Job::Run(job)) => {
                    bytes += job.draft.size;
                    batch.push(job);
                }
                Some(Job::Learn(run, known)) => self.ledger.learn(run, *known),
                Some(Job::Close(answer)) => return (batch, Some(answer)),
                None => break,
            }
        }
        (batch, None)
    }

    /// One transaction for all; when it fails by one of them, one for each, so that a bad write does not fail its neighbours.
    async fn process(&mut self, batch: Vec<RunJob>) {
        let Err((fail, batch)) = self.attempt(batch).await else { return };
        if batch.len() == 1 || fail.is_everyones() {
            let error = fail.stored(&self.terms.place);
            tracing::error!(%error, code = error.code(), "a group of writes was refused");
            for job in batch {
                let _ = job.answer.send(Err(again(&error)));
            }
            return;
        }
        tracing::warn!(error = ?fail, "a group of writes failed by one of them; each is tried alone");
        for job in batch {
            if let Err((fail, single)) = self.attempt(vec![job]).await {
                let error = fail.stored(&self.terms.place);
                tracing::error!(%error, code = error.code(), "a write was refused");
                for job in single {
                    let _ = job.answer.send(Err(again(&error)));
                }
            }
        }
    }

    /// Until the transaction is committed or cannot be: a lost connection and a lost race are tried again, since nothing of
    /// them is left, within the deadline that a caller may wait.
    async fn attempt(&mut self, batch: Vec<RunJob>) -> Result<(), (Fail, Vec<RunJob>)> {
        let drafts: Vec<&Draft> = batch.iter().map(|job| &*job.draft).collect();
        let mut attempts = 0;
        let effects = loop {
            attempts += 1;
            let fail = match self.transaction(&drafts).await {
                Ok(effects) => break Ok(effects),
                Err(fail) => fail,
            };
            if fail.is_the_connections() {
                if self.connection.take().is_some() {
                    self.terms.writers.closed();
                }
            } else if let Some(connection) = &mut self.connection {
                roll_back(connection).await;
            }
            if attempts == ATTEMPTS || !(fail.is_the_connections() || fail.is_a_lost_race()) {
                break Err(fail);
            }
            let mut pause = tokio::time::interval(PAUSE);
            pause.tick().await;
            pause.tick().await;
        };
        match effects {
            Ok(effects) => {
                // Before the answers: who was answered and then asks for work finds the notice.
                if effects.arrived {
                    self.notices.tell();
                }
                let verdicts = self.ledger.apply(effects);
                Answers { runs: batch, verdicts }.give(&self.callers);
                Ok(())
            }
            Err(fail) => Err((fail, batch)),
        }
    }

    async fn transaction(&mut self, drafts: &[&Draft]) -> Result<Effects, Fail> {
        let terms = Arc::clone(&self.terms);
        let pass = terms.breaker.pass()?;
        let kept = self.connection.is_some();
        let used = terms.writers.use_one(kept);
        let done = self.transact(drafts).await;
        used.kept(self.connection.is_some());
        // That a connection broke says nothing yet: the next attempt makes a new one.
        if kept && matches!(done, Err(Fail::Sql(_))) { done } else { pass.ended(done) }
    }

    async fn transact(&mut self, drafts: &[&Draft]) -> Result<Effects, Fail> {
        let deadline = self.terms.deadline * 2;
        let written = match tokio::time::timeout(deadline, self.write(drafts)).await {
            Ok(written) => written?,
            Err(_) => {
                // In the middle of a statement: what the connection says next is of no use to anybody.
                self.connection = None;
                return Err(self.terms.late().into());
            }
        };
        let (effects, Some(opened)) = written else { return Ok(written.0) };
        let Some(connection) = &mut self.connection else { return Err(StoreError::Closed.into()) };
        let fail = match tokio::time::timeout(deadline, sqlx::raw_sql("commit").execute(connection)).await {
            Ok(Ok(_)) => return Ok(effects),
            Ok(Err(error)) => Fail::from(error),
            Err(_) => Fail::Store(self.terms.late()),
        };
        if matches!(fail, Fail::Sql(_)) && !fail.is_the_connections() {
            return Err(fail);
        }
        self.connection = None;
        let Some(xid) = &opened.xid else { return Err(fail) };
        match self.ask(xid).await {
            Fate::Committed => Ok(effects),
            Fate::Undone => Err(fail),
            Fate::Unknown => {
                // Not tried again, and no longer remembered: each run's driver looks at what is there.
                self.ledger = Ledger::new(self.ledger.epoch);
                Err(self.terms.nobody_knows().into())
            }
        }
    }

    /// All but the commit. Without an opened transaction there is nothing to commit.
    async fn write(&mut self, drafts: &[&Draft]) -> Result<(Effects, Option<Opened>), Fail> {
        if self.connection.is_none() {
            self.connection = Some(self.terms.connect().await?);
        }
        let Some(connection) = &mut self.connection else { return Err(StoreError::Closed.into()) };
        self.ledger.turn_to(self.node.epoch());
        let scope = Group::first_scope(drafts, &self.ledger);
        let Some(opened) = self.node.begin(scope, self.ledger.epoch, connection).await? else {
            // Declared dead: every write of that epoch is late, and the runs are somebody else's.
            self.ledger.turn_to(self.node.epoch());
            let verdicts = drafts.iter().map(|_| Ok(Committed::Late)).collect();
            return Ok((Effects { verdicts, ..Effects::default() }, None));
        };
        let shard = (self.ledger.epoch * 8 + self.number).rem_euclid(SHARDS);
        let group = Group {
            drafts,
            ledger: &self.ledger,
            now: opened.now,
            prepared: self.terms.prepared,
            terms: &self.terms,
            shard: i16::try_from(shard).unwrap_or(0),
            scope,
        };
        let effects = group.write(connection).await?;
        Ok((effects, Some(opened)))
    }

    /// Whether a transaction whose commit was not answered is on disk. Asked for as long as it takes: its waiters must not be
    /// told that nothing was written when it was.
    async fn ask(&mut self, xid: &Xid) -> Fate {
        let mut patience = tokio::time::interval(PAUSE);
        loop {
            patience.tick().await;
            let asked = async {
                let mut connection = self.terms.connect().await?;
                let fate = self.terms.fate(xid, &mut connection).await?;
                Ok::<_, Fail>((fate, connection))
            };
            match tokio::time::timeout(self.terms.deadline, asked).await {
                Ok(Ok((fate, connection))) => {
                    self.connection = Some(connection);
                    return fate;
                }
                Ok(Err(fail)) if !fail.is_everyones() => {
                    // The server knows nothing of such a transaction: it is another one, promoted before this reached it.
                    return Fate::Undone;
                }
                _ => tracing::warn!("the connection broke at a commit; asking again what became of it"),
            }
        }
    }
}
