//! A run as a fold over its journal: `apply` is the only way its state changes, `next` says what to do. No I/O, no clock.
//!
//! Decisions that need an expression (`if`, `until`, whether to loop and over how many items) are journalled, so that a newer
//! evaluator cannot rewrite what an older one decided; only a loop's list is read again, from the same recorded results.
//! Decisions that follow from the graph alone are not journalled.

mod apply;
mod begin;
mod call;
mod ends;
mod fits;
mod graph;
mod keep;
mod loops;
mod memory;
mod next;
mod outcome;
mod passes;
pub mod path;
mod phases;
pub mod receipt;
mod replaying;
mod retry;
mod rows;
mod scope;
mod spending;
mod state;
mod stops;
mod tags;
mod undo;
mod units;
pub mod view;
mod waits;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::event::{Event, EventBody};
use mainspring_model::fault::Fault;
use mainspring_model::plan::Plan;
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::state::StateWrite;
use serde_json::Value;
use thiserror::Error;

pub use call::{Call, RateTerms};
pub use fits::fits;
pub use keep::{Again, Kept, Unkept, keep, undecided};
pub use memory::Pending;
pub use next::{MAX_ENTRIES, MAX_ITEMS, Todo};
pub use outcome::Tried;
pub use replaying::Replaying;
pub use rows::{RowPlace, RowSource, RowsRead, RowsWanted};
pub(crate) use scope::rfc3339;
pub use state::{Addr, Failure};
use state::{Ended, Frame, FrameIx, FrameOwner};
pub use tags::{Tags, serves};
pub use waits::Awaiting;

/// What the run cannot work out by itself: keyed hashes under the organization's key.
pub trait RunKeys: Send + Sync {
    /// base32 of a keyed hash over run and step path: the same on every attempt and node.
    fn idempotency_key(&self, header: &RunHeader, path: &str) -> String;
    /// The n-th 128 random bits of a step path: unguessable, and the same when asked again.
    fn random_bits(&self, header: &RunHeader, path: &str, n: u32) -> u128;
}

/// An event that does not fit the state it is applied to: the journal was damaged, or is not of this plan.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("event {seq} ({kind}) does not fit the run: {reason}")]
pub struct Illegal {
    pub seq: u32,
    pub kind: &'static str,
    pub reason: String,
}

/// Something to look at in [`Run::next`]. Entries that no longer hold are passed over.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// A step was decided to run.
    Step(Addr),
    /// A unit is ready for an attempt.
    Unit(Addr),
    /// A `for_each` may start items.
    Feed(Addr),
    /// A `repeat` pass ended.
    Between(Addr),
    /// A body failed; repeat it or not.
    Verdict(Addr),
    /// The top list, or a list of the plan, ended.
    Phase,
}

/// Which lists of the plan have their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Main,
    Undo,
    OnError,
    Finally,
    Over,
}

/// How the run will end, as far as it is known.
#[derive(Clone, Debug)]
struct Verdict {
    status: RunStatus,
    /// `Some` when `logic.stop` gave it.
    output: Option<Value>,
    error: Option<Failure>,
}

/// One run's whole state.
pub struct Run {
    plan: Arc<Plan>,
    header: Arc<RunHeader>,
    keys: Arc<dyn RunKeys>,
    vars: Value,
    /// Frames by [`FrameIx`]; `None` once nothing can look into it.
    frames: Vec<Option<Box<Frame>>>,
    phase: Phase,
    /// The frame of the current phase.
    current: FrameIx,
    verdict: Verdict,
    /// Failures of the plan's own lists, recorded beside the verdict.
    beside: Vec<Failure>,
    undoing: undo::Undoing,
    cancels: u32,
    seq: u32,
    /// Its journal ends at about this length, and the run with it.
    most_entries: u32,
    /// What this process serves.
    tags: Tags,
    /// No step begins.
    paused: bool,
    /// Units that were ready here and belong elsewhere.
    foreign: Vec<Addr>,
    last_at: Millis,
    /// Milliseconds spent working, and until when they are counted.
    worked: (u64, Millis),
    agenda: VecDeque<Task>,
    timers: BinaryHeap<Reverse<(Millis, u64, Timer)>>,
    timer_count: u64,
    aborts: Vec<Addr>,
    in_flight: u32,
    /// Since when at least one attempt is in flight.
    flying_since: Option<Millis>,
    /// `once` steps whose attempt this process itself began: their open marker is no sign of a crash.
    flying_once: std::collections::HashSet<String>,
    /// The list that a `for_each` just saw, on its way through its own event.
    stash: Option<(String, rows::Items)>,
    /// Loops whose rows are being counted, by path, and what was found.
    counting: HashMap<String, Option<Result<RowsRead, Fault>>>,
    /// Some loop goes over the rows of a file.
    has_rows: bool,
    /// What `now()` gives under a step path.
    nows: HashMap<String, Millis>,
    /// `once` steps whose marker is written and whose end is not.
    once_open: HashMap<String, u32>,
    /// Ends of `once` steps inside bodies: a new attempt of the body keeps them.
    once_done: HashMap<String, Ended>,
    /// When bodies with a `timeout` began their attempt.
    body_began: HashMap<String, Millis>,
    /// Attempts whose end is still to be replayed, by path.
    replay_ahead: HashMap<String, u32>,
    /// The event that is being applied.
    applying: (u32, &'static str),
    responded: Option<Value>,
    spending: spending::Spending,
    /// What it leaves to other runs if it succeeds.
    memory: memory::Memory,
    /// Taken up after a crash, and what is begun now may have been under way then.
    in_doubt: bool,
    /// Outputs that steps have instead of running, beside those that the plan pins.
    pins: HashMap<String, Value>,
    /// Some step has waited for a signal, and another may.
    has_awaited: bool,
    has_held: bool,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Unit(TimerAddr),
    BodyTimeout(TimerAddr, u32),
    Deadline,
}

/// [`Addr`] with an order, for the heap.
type TimerAddr = (u32, u32, Option<u32>);

fn timer_addr(addr: Addr) -> TimerAddr {
    (addr.frame, addr.place, addr.index)
}

fn addr_of((frame, place, index): TimerAddr) -> Addr {
    Addr { frame, place, index }
}

impl Run {
    /// A run at its birth: nothing was journalled yet.
    ///
    /// # Errors
    /// The fault of a `vars` template.
    pub fn new(plan: Arc<Plan>, header: Arc<RunHeader>, keys: Arc<dyn RunKeys>) -> Result<Run, Fault> {
        let created_at = header.created_at;
        let top = Frame::new(&plan, Plan::TOP, FrameOwner::Top, String::new(), Vec::new());
        let mut run = Run {
            plan,
            header,
            keys,
            vars: Value::Object(serde_json::Map::new()),
            frames: vec![Some(Box::new(top))],
            phase: Phase::Main,
            current: 0,
            verdict: Verdict { status: RunStatus::Success, output: None, error: None },
            beside: Vec::new(),
            undoing: undo::Undoing::default(),
            cancels: 0,
            seq: 0,
            last_at: created_at,
            worked: (0, created_at),
            agenda: VecDeque::new(),
            timers: BinaryHeap::new(),
            timer_count: 0,
            aborts: Vec::new(),
            in_flight: 0,
            flying_since: None,
            flying_once: std::collections::HashSet::new(),
            stash: None,
            counting: HashMap::new(),
            has_rows: false,
            nows: HashMap::new(),
            once_open: HashMap::new(),
            once_done: HashMap::new(),
            body_began: HashMap::new(),
            replay_ahead: HashMap::new(),
            applying: (0, "new"),
            responded: None,
            spending: spending::Spending::default(),
            memory: memory::Memory::default(),
            in_doubt: false,
            pins: HashMap::new(),
            has_awaited: false,
            has_held: false,
            finished: false,
            most_entries: MAX_ENTRIES,
            tags: None,
            paused: false,
            foreign: Vec::new(),
        };
        if let Some(deadline) = run.plan.deadline {
            run.timer(created_at.saturating_add(millis(deadline)), Timer::Deadline);
        }
        run.evaluate_vars()?;
        run.open_frame(0);
        Ok(run)
    }

    /// A run as its journal left it. Blob outputs must have been put back into the events. Rows of files that its loops go over are
    /// unknown where they are looked at in between; [`Replaying`] has them too.
    ///
    /// # Errors
    /// [`Illegal`] when an event does not fit.
    pub fn replay(plan: Arc<Plan>, header: Arc<RunHeader>, keys: Arc<dyn RunKeys>, history: Vec<Event>) -> Result<Run, Illegal> {
        let mut run = Run::before(plan, header, keys, &history)?;
        for event in history {
            run.apply(event)?;
        }
        run.in_flight = 0;
        Ok(run)
    }

    /// A run whose journal is still to be replayed.
    fn before(plan: Arc<Plan>, header: Arc<RunHeader>, keys: Arc<dyn RunKeys>, history: &[Event]) -> Result<Run, Illegal> {
        let illegal = |fault: Fault| Illegal { seq: 0, kind: "accepted", reason: fault.message };
        let mut run = Run::new(plan, header, keys).map_err(illegal)?;
        for event in history {
            // What comes after a stop was in flight then, whatever it turned out to be.
            let path = match &event.body {
                EventBody::Attempted(attempted) => &attempted.path,
                EventBody::Held { path, .. }
                | EventBody::Waiting { path, .. }
                | EventBody::Called { path, .. }
                | EventBody::Awaited { path, .. } => path,
                _ => continue,
            };
            *run.replay_ahead.entry(path.clone()).or_default() += 1;
        }
        Ok(run)
    }

    /// The next event with this body, to be applied and journalled.
    pub fn event(&self, body: EventBody, at: Millis) -> Event {
        // Time never runs backwards within a journal, whatever the machine's clock does.
        Event { seq: self.seq + 1, at: at.max(self.last_at), body }
    }

    pub fn header(&self) -> &Arc<RunHeader> {
        &self.header
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Gives steps these outputs, by id, instead of running them.
    pub fn pin(&mut self, pins: HashMap<String, Value>) {
        self.pins = pins;
    }

    /// Sequence number of the last event.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Another bound than [`MAX_ENTRIES`]. What is in flight when it is met still lands, so a journal can be a little longer.
    pub fn set_most_entries(&mut self, most: u32) {
        self.most_entries = most;
    }

    /// The process that held the run before died: the attempts that are begun first may have been under way there.
    pub fn doubt(&mut self) {
        self.in_doubt = true;
    }

    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Attempts that the driver has under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// What `logic.respond` said, `{status, headers, body}`.
    pub fn responded(&self) -> Option<&Value> {
        self.responded.as_ref()
    }

    /// What other runs are to find, if this one succeeds.
    pub fn leaves_behind(&self) -> Vec<StateWrite> {
        self.memory.writes()
    }

    /// Whether a step has ever waited for a signal: as long as none has, nobody needs to look for any.
    pub fn has_awaited(&self) -> bool {
        self.has_awaited
    }

    /// Whether a step ever waited for its turn under a `rate`.
    pub fn has_held(&self) -> bool {
        self.has_held
    }

    pub fn has_been_cancelled(&self) -> bool {
        self.cancels > 0
    }

    fn frame(&self, ix: FrameIx) -> Option<&Frame> {
        self.frames.get(ix as usize)?.as_deref()
    }

    fn frame_mut(&mut self, ix: FrameIx) -> Option<&mut Frame> {
        self.frames.get_mut(ix as usize)?.as_deref_mut()
    }

    fn add_frame(&mut self, frame: Frame) -> FrameIx {
        self.frames.push(Some(Box::new(frame)));
        u32::try_from(self.frames.len() - 1).expect("a run has fewer than 2^32 frames")
    }

    fn timer(&mut self, at: Millis, timer: Timer) {
        self.timer_count += 1;
        self.timers.push(Reverse((at, self.timer_count, timer)));
    }

    fn illegal(&self, reason: impl Into<String>) -> Illegal {
        Illegal { seq: self.applying.0, kind: self.applying.1, reason: reason.into() }
    }
}

/// A duration as milliseconds, never less than it is.
fn millis(duration: std::time::Duration) -> Millis {
    Millis::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(Millis::MAX / 4)
}
