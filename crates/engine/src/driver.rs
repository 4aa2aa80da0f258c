//! The driver of one run: asks it what to do, calls actions, and carries its events to disk before anything depends on them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::fault::Fault;
use mainspring_model::id::RunId;
use mainspring_model::run::{Ending, StepStatus};
use mainspring_model::store::{Committed, JournalRow, NewRun, RunWrite, Standing, StoreError};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::attempt;
use crate::engine::Inner;
use crate::journal;
use crate::live::LiveEvent;
use crate::run::{Addr, Call, Run, Todo, Tried};

/// How far a run has come, for whoever waits for it. Set only after what it says is durable.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub accepted: bool,
    /// It waits for a moment or a signal and is held by nobody.
    pub parked: bool,
    /// `logic.respond` said this.
    pub responded: Option<Value>,
    pub ended: Option<Arc<Report>>,
    /// Its key or slot belongs to this run; nothing was made.
    pub exists: Option<RunId>,
    /// It could not be accepted.
    pub refused: Option<Arc<StoreError>>,
    /// It is no longer driven here, for whatever reason.
    pub gone: bool,
}

/// A run at its end.
#[derive(Debug)]
pub struct Report {
    pub ending: Ending,
    /// Outputs of the top list, by index.
    pub outputs: Vec<Value>,
    /// The top list's steps with their status and error.
    pub steps: Vec<(String, StepStatus, Option<Fault>)>,
}

/// What others tell a live run.
#[derive(Clone, Debug)]
pub enum Signal {
    Cancel {
        by: String,
    },
    /// A child run ended.
    Child,
    /// Start nothing more; the run goes on in the next process.
    Shutdown,
    /// Give up what is in flight too: it is repeated later.
    Abandon,
}

/// Beyond this, a wait is a row and no memory.
const HOLD: Millis = 1_000;
/// Rows that pile up in a run that only computes before some are sent to disk.
const ROWS_AHEAD: usize = 512;

struct Flying {
    attempt: u32,
    sent: Arc<AtomicBool>,
    abort: AbortHandle,
    began_us: u64,
}

pub(crate) struct Driver {
    inner: Arc<Inner>,
    run: Run,
    epoch: i64,
    create: Option<Arc<NewRun>>,
    progress: watch::Sender<Progress>,
    inbox: mpsc::UnboundedReceiver<Signal>,
    /// Applied and not yet handed to the store.
    rows: Vec<JournalRow>,
    /// Up to which event the journal is durable; `None` before the run itself is.
    durable: Option<u32>,
    /// Calls that wait for the journal.
    queue: VecDeque<Box<Call>>,
    flying: HashMap<Addr, Flying>,
    tasks: JoinSet<(Addr, u32, Tried)>,
    ending: Option<Ending>,
    alone: bool,
    /// The crash mark is set: a step is in flight.
    marked: bool,
    shutdown: bool,
}

/// Why a drive stopped before the run's end.
enum Stop {
    Late,
    Exists(RunId),
    Refused(StoreError),
    Parked,
}

impl Driver {
    pub(crate) fn new(
        inner: Arc<Inner>,
        run: Run,
        epoch: i64,
        create: Option<Arc<NewRun>>,
        progress: watch::Sender<Progress>,
        inbox: mpsc::UnboundedReceiver<Signal>,
        alone: bool,
    ) -> Driver {
        let durable = create.is_none().then(|| run.seq());
        Driver {
            inner,
            run,
            epoch,
            create,
            progress,
            inbox,
            rows: Vec::new(),
            durable,
            queue: VecDeque::new(),
            flying: HashMap::new(),
            tasks: JoinSet::new(),
            ending: None,
            alone,
            marked: false,
            shutdown: false,
        }
    }

    /// Drives the run until it ends, waits for longer than a moment, or is taken away.
    pub(crate) async fn drive(mut self) {
        let id = self.run.header().id;
        let stop = self.go_on().await;
        self.tasks.abort_all();
        self.unmark();
        self.inbox.close();
        self.inner.forget_live(id);
        self.progress.send_modify(|progress| {
            progress.gone = true;
            match &stop {
                Ok(()) | Err(Stop::Late) => {}
                Err(Stop::Parked) => progress.parked = true,
                Err(Stop::Exists(run)) => progress.exists = Some(*run),
                Err(Stop::Refused(_)) => {}
            }
            if let Err(Stop::Refused(error)) = stop {
                progress.refused = Some(Arc::new(error));
            }
        });
    }

    async fn go_on(&mut self) -> Result<(), Stop> {
        loop {
            let wait = self.advance().await?;
            self.start_calls();
            if self.ending.is_some() && self.flying.is_empty() {
                let ending = self.ending.take().expect("checked just above");
                return self.finish(ending).await;
            }
            if !self.rows.is_empty() || self.create.is_some() {
                self.commit(Standing::Running).await?;
                continue;
            }
            if self.flying.is_empty() && self.queue.is_empty() {
                if self.shutdown {
                    return self.hand_back().await;
                }
                if self.park_if_long(wait).await? {
                    continue;
                }
            }
            self.wait_for_something(wait).await?;
        }
    }

    /// Takes every decision that can be taken now. Gives the moment to look again.
    async fn advance(&mut self) -> Result<Option<Millis>, Stop> {
        loop {
            if self.rows.len() >= ROWS_AHEAD {
                self.commit(Standing::Running).await?;
                // A run that only computes must not keep the others from the processor.
                tokio::task::yield_now().await;
            }
            let now = self.inner.clock.now();
            match self.run.next(now) {
                Todo::Record(body) => self.record(body).await?,
                Todo::Call(call) if call.computes => {
                    let (addr, attempt) = (call.addr, call.attempt);
                    let header = self.run.header().clone();
                    let tried = attempt::compute(&self.inner, &header, *call);
                    self.settle(addr, attempt, tried).await?;
                }
                Todo::Call(_) if self.shutdown => {}
                Todo::Call(call) => self.queue.push_back(call),
                Todo::Abort(addr) => self.abort(addr).await?,
                Todo::Wait(until) => return Ok(until),
                Todo::Over => return Ok(None),
            }
        }
    }

    async fn settle(&mut self, addr: Addr, attempt: u32, tried: Tried) -> Result<(), Stop> {
        match self.run.outcome(addr, attempt, tried, self.inner.clock.now()) {
            Some(body) => self.record(body).await,
            None => Ok(()),
        }
    }

    async fn record(&mut self, body: EventBody) -> Result<(), Stop> {
        let mut event = self.run.event(body, self.inner.clock.now());
        let row = loop {
            match journal::row_of(&*self.inner.store, &mut event).await {
                Ok(row) => break row,
                Err(error) => self.pause_after(error).await?,
            }
        };
        if let EventBody::Finished(ending) = &event.body {
            self.ending = Some(ending.clone());
        }
        self.rows.push(row);
        if let Err(illegal) = self.run.apply(event) {
            // Our own decision did not fit our own state: give the run up rather than write nonsense.
            tracing::error!(run = %self.run.header().id, error = %illegal, "a run's state refused its own event");
            return Err(Stop::Refused(StoreError::Failed(illegal.to_string())));
        }
        Ok(())
    }

    /// Starts the calls whose grounds are durable.
    fn start_calls(&mut self) {
        let Some(durable) = self.durable else { return };
        while self.queue.front().is_some_and(|call| call.after <= durable) {
            let call = self.queue.pop_front().expect("checked just above");
            self.fly(*call);
        }
    }

    fn fly(&mut self, call: Call) {
        let header = self.run.header().clone();
        if !self.marked {
            self.inner.marks.enter(header.id, self.alone);
            self.marked = true;
        }
        if self.inner.watchers.is_watched(header.id) {
            let action = format!("{}.{}", call.provider, call.action);
            let at = self.inner.clock.now();
            self.inner.watchers.tell(header.id, LiveEvent::Attempting { path: call.path.clone(), attempt: call.attempt, action, at });
        }
        let (addr, attempt) = (call.addr, call.attempt);
        let sent = Arc::new(AtomicBool::new(false));
        let (inner, flag) = (self.inner.clone(), sent.clone());
        let began_us = self.inner.clock.monotonic_us();
        let abort = self.tasks.spawn(async move { (addr, attempt, attempt::perform(inner, header, call, flag).await) });
        self.flying.insert(addr, Flying { attempt, sent, abort, began_us });
    }

    fn unmark(&mut self) {
        // Only a mark of our own: the run may be driven again already, by a driver that follows this one.
        if std::mem::take(&mut self.marked) {
            self.inner.marks.leave(self.run.header().id);
        }
    }

    async fn abort(&mut self, addr: Addr) -> Result<(), Stop> {
        let (attempt, sent, latency) = match self.flying.remove(&addr) {
            Some(flying) => {
                flying.abort.abort();
                let latency = self.inner.clock.monotonic_us().saturating_sub(flying.began_us);
                (flying.attempt, flying.sent.load(Ordering::Acquire), latency)
            }
            None => match self.queue.iter().position(|call| call.addr == addr) {
                Some(place) => (self.queue.remove(place).map_or(1, |call| call.attempt), false, 0),
                None => (1, false, 0),
            },
        };
        if self.flying.is_empty() {
            self.unmark();
        }
        match self.run.aborted(addr, attempt, sent, latency) {
            Some(body) => self.record(body).await,
            None => Ok(()),
        }
    }

    async fn wait_for_something(&mut self, until: Option<Millis>) -> Result<(), Stop> {
        let clock = self.inner.clock.clone();
        let moment = async {
            match until {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                self.landed(done).await?;
                // Many attempts may have ended meanwhile: their events share one commit.
                while let Some(done) = self.tasks.try_join_next() {
                    self.landed(done).await?;
                }
                if self.flying.is_empty() {
                    self.unmark();
                }
            }
            Some(signal) = self.inbox.recv() => self.on_signal(signal).await?,
            () = moment => {}
        }
        Ok(())
    }

    async fn landed(&mut self, done: Result<(Addr, u32, Tried), tokio::task::JoinError>) -> Result<(), Stop> {
        // An aborted attempt was recorded when it was aborted; panics are faults already.
        let Ok((addr, attempt, tried)) = done else { return Ok(()) };
        match self.flying.get(&addr) {
            Some(flying) if flying.attempt == attempt => {}
            _ => return Ok(()),
        }
        self.flying.remove(&addr);
        self.settle(addr, attempt, tried).await
    }

    async fn on_signal(&mut self, signal: Signal) -> Result<(), Stop> {
        match signal {
            Signal::Cancel { by } => self.record(EventBody::CancelRequested { by }).await,
            Signal::Child => self.look_at_children().await.map(|_| ()),
            Signal::Shutdown => {
                self.shutdown = true;
                self.queue.clear();
                Ok(())
            }
            Signal::Abandon => {
                self.shutdown = true;
                self.queue.clear();
                self.tasks.abort_all();
                self.flying.clear();
                self.unmark();
                Ok(())
            }
        }
    }

    /// Records the ends of child runs; whether any had ended.
    async fn look_at_children(&mut self) -> Result<bool, Stop> {
        let mut any = false;
        for (addr, attempt, child) in self.run.children() {
            let ending = match self.inner.store.ending(child).await {
                Ok(ending) => ending,
                Err(error) => {
                    self.pause_after(error).await?;
                    continue;
                }
            };
            let Some(mut ending) = ending else { continue };
            if let Some(blob) = ending.blob.take() {
                match journal::read(&*self.inner.store, &blob).await {
                    Ok(output) => ending.output = output,
                    Err(error) => tracing::error!(run = %child, %error, "a child run's output could not be read"),
                }
            }
            if let Some(body) = self.run.child_ended(addr, attempt, child, ending) {
                self.record(body).await?;
                any = true;
            }
        }
        Ok(any)
    }

    /// A wait of more than a moment becomes a row. `true`: there is something to go on with instead.
    async fn park_if_long(&mut self, wait: Option<Millis>) -> Result<bool, Stop> {
        let now = self.inner.clock.now();
        if wait.is_some_and(|wait| wait <= now.saturating_add(HOLD)) || self.run.is_finished() {
            return Ok(false);
        }
        if self.look_at_children().await? {
            return Ok(true);
        }
        let id = self.run.header().id;
        self.commit(Standing::Waiting(wait)).await?;
        // A child that ended between the look and the commit woke nobody.
        for (_, _, child) in self.run.children() {
            if matches!(self.inner.store.ending(child).await, Ok(Some(_))) {
                if let Err(error) = self.inner.store.wake(id).await {
                    tracing::error!(run = %id, %error, "a parent was not woken; the next sweep will find it");
                }
                break;
            }
        }
        Err(Stop::Parked)
    }

    async fn hand_back(&mut self) -> Result<(), Stop> {
        let id = self.run.header().id;
        if let Err(error) = self.inner.store.release(id, self.epoch).await {
            tracing::warn!(run = %id, %error, "a run was not given back; the next start will take it up");
        }
        Err(Stop::Parked)
    }

    async fn finish(&mut self, ending: Ending) -> Result<(), Stop> {
        // The journal's last row carries the ending; an output over the limit is in a blob, here and in the run's row alike.
        let stored = match self.rows.last() {
            Some(row) if row.kind == "finished" => stored_ending(row).unwrap_or_else(|| ending.clone()),
            _ => ending.clone(),
        };
        let wants_report = self.progress.receiver_count() > 0;
        let report = Report {
            outputs: if wants_report { self.run.top_outputs() } else { Vec::new() },
            steps: if wants_report { self.run.top_steps() } else { Vec::new() },
            ending,
        };
        self.commit(Standing::Ended(stored)).await?;
        if let Some((parent, _)) = &self.run.header().parent {
            self.inner.signal(*parent, Signal::Child);
        }
        self.inbox.close();
        self.inner.forget_live(self.run.header().id);
        self.progress.send_modify(|progress| progress.ended = Some(Arc::new(report)));
        Ok(())
    }

    /// Hands all rows to the store and waits until they are on disk.
    async fn commit(&mut self, standing: Standing) -> Result<(), Stop> {
        let id = self.run.header().id;
        let upto = self.run.seq();
        let rows = Arc::new(std::mem::take(&mut self.rows));
        loop {
            let write =
                RunWrite { run: id, epoch: self.epoch, create: self.create.clone(), events: rows.clone(), standing: standing.clone() };
            match self.inner.store.commit(write).await {
                Ok(Committed::Done) => break,
                Ok(Committed::Late) => return Err(Stop::Late),
                Ok(Committed::Exists(run)) => return Err(Stop::Exists(run)),
                // Nothing was accepted yet, so the caller can be told; afterwards the run waits for the store instead.
                Err(error) if self.create.is_some() => return Err(Stop::Refused(error)),
                Err(error) => self.pause_after(error).await?,
            }
        }
        self.create = None;
        self.durable = Some(upto);
        // A finished step clears the run: what dies from here on is counted from the start, alone or not.
        if rows.iter().any(|row| row.progress) {
            self.alone = false;
        }
        if self.inner.watchers.is_watched(id) {
            for row in rows.iter() {
                self.inner.watchers.tell(id, LiveEvent::Row(row.clone()));
            }
        }
        if self.progress.receiver_count() > 0 {
            let responded = self.run.responded().cloned();
            self.progress.send_modify(|progress| {
                progress.accepted = true;
                progress.responded = responded;
            });
        }
        Ok(())
    }

    /// After a store's failure: nothing is lost in memory, so try again in a while.
    async fn pause_after(&mut self, error: StoreError) -> Result<(), Stop> {
        if matches!(error, StoreError::Closed) {
            return Err(Stop::Late);
        }
        tracing::error!(run = %self.run.header().id, %error, "the store refused a write; the run waits for it");
        let until = self.inner.clock.now().saturating_add(HOLD);
        self.inner.clock.sleep_until(until).await;
        Ok(())
    }
}

fn stored_ending(row: &JournalRow) -> Option<Ending> {
    serde_json::from_str(&row.body).ok()
}
