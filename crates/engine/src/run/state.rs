//! What a run remembers of its lists, steps and units while it goes on.

use mainspring_model::clock::Millis;
use mainspring_model::fault::Fault;
use mainspring_model::id::RunId;
use mainspring_model::plan::{ListId, Plan, StepIx};
use mainspring_model::run::StepStatus;
use mainspring_model::wait::Wait;
use serde_json::{Map, Value, json};

use super::rows::Items;

/// A frame's place in the run: one execution of one list. Never used again within a run.
pub type FrameIx = u32;

/// One unit of work: a step, or one item or pass of a loop step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addr {
    pub frame: FrameIx,
    pub place: u32,
    pub index: Option<u32>,
}

/// One execution of one list of steps.
pub struct Frame {
    pub list: ListId,
    pub owner: FrameOwner,
    /// Put before the ids of the list's steps: empty, or `outer[3].`.
    pub prefix: String,
    /// `item`, `index`, `loop`, `error`: what this frame adds to the scope.
    pub locals: Vec<(String, Value)>,
    /// By place in the list.
    pub steps: Vec<StepState>,
    /// Steps that are neither ended nor not reached.
    pub open: u32,
    pub active: u32,
    /// The first unhandled failure.
    pub failure: Option<Failure>,
    /// No new step starts.
    pub stopped: bool,
}

/// What the end of a frame means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOwner {
    Top,
    /// The body of this unit.
    Body(Addr),
    /// The `on_error` list of this step.
    Handler(Addr),
    /// Takes one effect back.
    Undo,
    PlanError,
    Finally,
}

pub enum StepState {
    /// Not decided yet.
    Pending,
    /// Decided to run; nothing done yet.
    Ready,
    Active(Box<Active>),
    Ended(Box<Ended>),
    NotReached,
}

/// A step under way.
pub enum Active {
    Single(Unit),
    Each(EachState),
    Repeat(RepeatState),
    /// Its `on_error` list runs.
    Handling {
        cause: Failure,
        errors: Value,
    },
}

/// The attempts of one action call or of one body.
pub struct Unit {
    /// The current or next attempt, from 1.
    pub attempt: u32,
    /// How many of those before it were held back and do not count against the policy.
    pub held_back: u32,
    pub state: UnitState,
    /// Its attempt may have been made by a process that died.
    pub again: bool,
    /// Its attempt was in flight when its list stopped: it finishes, after a crash by being repeated.
    pub owed: bool,
}

pub enum UnitState {
    /// To be started.
    Ready,
    /// The driver has an attempt under way (or, while replaying, its end is yet to come).
    InFlight,
    RetryAt(Millis),
    Sleeping(Millis),
    Calling(RunId),
    /// Signals of this topic are looked at.
    Awaiting(Box<Wait>),
    Body(FrameIx),
    /// The body failed; whether it begins again is to be decided.
    BodyFailed(Failure),
}

pub struct EachState {
    pub total: u32,
    pub items: Items,
    /// First index that was not started.
    pub next: u32,
    pub running: u32,
    pub units: std::collections::HashMap<u32, Unit>,
    pub results: Vec<Option<Result<Value, Failure>>>,
    /// How many of them are there.
    pub ended: u32,
    /// An item failed under `on_item_error: fail`.
    pub failed: bool,
    /// No further item starts because the list stops.
    pub stopped: bool,
    pub attempts: u32,
}

pub struct RepeatState {
    pub index: u32,
    pub value: Value,
    pub output: Value,
    pub unit: Unit,
    /// The body frame of the pass that just ended, kept for `until` and `next`.
    pub ended_body: Option<FrameIx>,
    /// The pass ended; what follows is to be decided.
    pub between: bool,
    pub resume_at: Option<Millis>,
    pub attempts: u32,
}

/// A step at its end.
#[derive(Clone)]
pub struct Ended {
    pub status: StepStatus,
    pub port: String,
    pub output: Value,
    pub message: String,
    pub metadata: Map<String, Value>,
    pub error: Option<Failure>,
    /// `.errors` of a `for_each`.
    pub errors: Value,
    pub attempts: u32,
    /// A plain edge from this step is live.
    pub passes: bool,
}

/// A fault with the place where it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub fault: Fault,
    /// The failed step's path.
    pub step: String,
    /// The item that failed, inside a loop.
    pub item: Value,
    pub attempts: u32,
}

impl Failure {
    /// The root `error`: `code message step item attempts`, and what else the fault says.
    pub fn to_value(&self) -> Value {
        let mut value = self.fault.to_value();
        value["step"] = json!(self.step);
        value["item"] = self.item.clone();
        value["attempts"] = json!(self.attempts);
        value
    }

    /// The fault with its step, for the run's row and the journal.
    pub fn into_fault(self) -> Fault {
        let mut fault = self.fault;
        let details = fault.details.take();
        let mut fields = match details {
            Some(Value::Object(fields)) => fields,
            Some(other) => Map::from_iter([("cause".to_owned(), other)]),
            None => Map::new(),
        };
        fields.entry("step").or_insert_with(|| Value::String(self.step));
        fault.details = Some(Value::Object(fields));
        fault
    }
}

/// How a unit ended.
pub enum UnitEnd {
    Ok {
        port: String,
        output: Value,
        message: String,
        metadata: Map<String, Value>,
    },
    Failed(Failure),
    /// Dropped without a result: its list stopped, or it was aborted.
    Dropped,
}

impl Unit {
    /// Held by a moment, a child run or a signal, not by an attempt.
    pub fn waits(&self) -> bool {
        matches!(self.state, UnitState::RetryAt(_) | UnitState::Sleeping(_) | UnitState::Calling(_) | UnitState::Awaiting(_))
    }

    pub fn ready() -> Unit {
        Unit { attempt: 1, held_back: 0, state: UnitState::Ready, again: false, owed: false }
    }
}

impl Frame {
    pub fn new(plan: &Plan, list: ListId, owner: FrameOwner, prefix: String, locals: Vec<(String, Value)>) -> Frame {
        let count = plan.list(list).steps.len();
        Frame {
            list,
            owner,
            prefix,
            locals,
            steps: (0..count).map(|_| StepState::Pending).collect(),
            open: u32::try_from(count).unwrap_or(u32::MAX),
            active: 0,
            failure: None,
            stopped: false,
        }
    }

    pub fn step_ix(&self, plan: &Plan, place: u32) -> StepIx {
        plan.list(self.list).steps[place as usize]
    }

    pub fn ended(&self, place: u32) -> Option<&Ended> {
        match &self.steps[place as usize] {
            StepState::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    /// The output of the last step in list order that ended in success, or null.
    pub fn output(&self) -> Value {
        self.steps
            .iter()
            .rev()
            .find_map(|step| match step {
                StepState::Ended(ended) if ended.status == StepStatus::Success => Some(ended.output.clone()),
                _ => None,
            })
            .unwrap_or(Value::Null)
    }

    /// Nothing of this list goes on any more.
    pub fn is_over(&self) -> bool {
        self.active == 0 && (self.open == 0 || self.stopped)
    }
}

impl Ended {
    pub fn skipped() -> Ended {
        Ended { status: StepStatus::Skipped, port: "skipped".into(), passes: true, ..Ended::blank() }
    }

    pub fn cancelled() -> Ended {
        Ended { status: StepStatus::Cancelled, port: String::new(), ..Ended::blank() }
    }

    pub fn blank() -> Ended {
        Ended {
            status: StepStatus::Success,
            port: "success".into(),
            output: Value::Null,
            message: String::new(),
            metadata: Map::new(),
            error: None,
            errors: Value::Null,
            attempts: 0,
            passes: false,
        }
    }
}

impl Active {
    /// The unit of a plain step, of an item, or of the current pass.
    pub fn unit(&self, index: Option<u32>) -> Option<&Unit> {
        match (self, index) {
            (Active::Single(unit), None) => Some(unit),
            (Active::Each(each), Some(index)) => each.units.get(&index),
            (Active::Repeat(repeat), Some(index)) if repeat.index == index => Some(&repeat.unit),
            _ => None,
        }
    }

    pub fn unit_mut(&mut self, index: Option<u32>) -> Option<&mut Unit> {
        match (self, index) {
            (Active::Single(unit), None) => Some(unit),
            (Active::Each(each), Some(index)) => each.units.get_mut(&index),
            (Active::Repeat(repeat), Some(index)) if repeat.index == index => Some(&mut repeat.unit),
            _ => None,
        }
    }
}
