//! The driver of one run: asks it what to do, calls actions, and carries its events to disk before anything depends on them.

mod commit;
mod flight;
mod record;
mod waits;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mainspring_model::action::Keeps;
use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::fault::Fault;
use mainspring_model::id::RunId;
use mainspring_model::run::{Ending, StepStatus};
use mainspring_model::store::{JournalRow, NewRun, Standing, StoreError};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::attempt;
use crate::engine::Inner;
use crate::run::{Addr, Call, RowsRead, RowsWanted, Run, Todo, Tried};
use crate::suspects::Alone;

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
    /// It could not be accepted, or nobody knows whether it was: see [`RunHandle::accepted`](crate::RunHandle::accepted).
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
    /// Something came that the run waits for.
    Arrived,
    /// Start nothing more, and lie down until somebody resumes the run.
    Pause,
    /// Start nothing more; the run goes on in the next process.
    Shutdown,
    /// Give up what is in flight too: it is repeated later.
    Abandon,
    /// The run is no longer alone.
    Company,
}

/// Beyond this, a wait is a row and no memory; a store that failed is asked again after it.
pub(crate) const HOLD: Millis = 1_000;
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
    tasks: JoinSet<Landing>,
    /// Rows of files that are being read.
    reading: u32,
    ending: Option<Ending>,
    /// The process is this run's alone, until its first finished step.
    alone: Option<Alone>,
    /// The crash mark is set: a step is in flight.
    marked: bool,
    shutdown: bool,
    paused: bool,
    /// When signals are looked at next, while a step waits for some.
    look_at: Millis,
}

/// What a task came back with.
enum Landing {
    /// `None` of one that began nothing because the run is somebody else's; and what it holds until that is recorded.
    Attempt(Addr, u32, Option<Tried>, Keeps),
    Rows(Box<RowsWanted>, Result<RowsRead, Fault>),
}

/// Why a drive stopped before the run's end.
enum Stop {
    Late,
    Exists(RunId),
    Refused(StoreError),
    /// It was refused, and whoever started it knows.
    Gone,
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
        alone: Option<Alone>,
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
            reading: 0,
            ending: None,
            alone,
            marked: false,
            shutdown: false,
            paused: false,
            look_at: 0,
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
                Ok(()) | Err(Stop::Late | Stop::Gone) => {}
                Err(Stop::Parked) => progress.parked = true,
                Err(Stop::Exists(run)) => progress.exists = Some(*run),
                Err(Stop::Refused(_)) => {}
            }
            if let Err(Stop::Refused(error)) = stop {
                progress.refused = Some(Arc::new(error));
            }
        });
        self.inner.place_freed(self.run.header().owner.org);
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
            let looked = if self.shutdown { None } else { self.look_at_signals().await? };
            if looked == Some(true) {
                continue;
            }
            if self.flying.is_empty() && self.queue.is_empty() && (self.reading == 0 || self.shutdown) {
                if self.shutdown {
                    return self.hand_back().await;
                }
                if self.paused {
                    self.commit(Standing::Paused).await?;
                    return Err(Stop::Parked);
                }
                if let Some(tag) = self.run.tag_wanted().map(str::to_owned) {
                    self.commit(Standing::QueuedFor(tag)).await?;
                    return Err(Stop::Parked);
                }
                if self.park_if_long(wait).await? {
                    continue;
                }
            }
            let again = looked.map(|_| self.look_at);
            self.wait_for_something(wait.into_iter().chain(again).min()).await?;
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
                // A marker without its attempt reads like a crash in between, and would end the run undecided in the next process.
                // So does what was reserved for it: the next process would count the call as made.
                Todo::Record(EventBody::Started(started)) if self.shutdown && (started.once || started.reserved.is_some()) => {
                    return Ok(None);
                }
                Todo::Record(body) => self.record(body).await?,
                Todo::Call(call) if call.computes => {
                    let (addr, attempt) = (call.addr, call.attempt);
                    let header = self.run.header().clone();
                    let tried = attempt::compute(&self.inner, &header, *call);
                    self.settle(addr, attempt, tried).await?;
                }
                Todo::Call(_) if self.shutdown => {}
                Todo::Call(call) => self.queue.push_back(call),
                Todo::Rows(_) if self.shutdown => {}
                Todo::Rows(wanted) => self.read_rows(wanted),
                Todo::Abort(addr) => self.abort(addr).await?,
                Todo::LastLook(over) => self.last_look(&over).await?,
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

    fn unmark(&mut self) {
        // Only a mark of our own: the run may be driven again already, by a driver that follows this one.
        if std::mem::take(&mut self.marked) {
            self.inner.marks.leave(self.run.header().id);
        }
    }
}
