//! The checked plan: steps in one flat list, edges resolved, expressions compiled. After the check nothing asks again.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::document::ExpectStepDoc;
use super::inputs::InputSpec;
use super::trigger::Trigger;
use crate::action::{Effect, Port};
use crate::budget::{Budget, ModelCall};
use crate::expr::{Expr, Template};
use crate::flow::{Policy, Priority};

/// Of the ids of undos, behind that of the step.
pub(crate) const UNDO_SUFFIX: &str = "_undo";

/// A step's place in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepIx(pub u32);

/// A list's place in [`Plan::lists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub u32);

/// A plan that passed its check. Built only by [`crate::plan::check`].
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub inputs: InputSpec,
    /// In written order; each sees `inputs`, `org` and the vars above it.
    pub vars: Vec<(String, Template)>,
    pub triggers: Vec<Trigger>,
    /// Every step of every list, parents before their bodies.
    pub steps: Vec<Step>,
    /// `lists[0]` is the top list.
    pub lists: Vec<List>,
    pub on_error: Option<ListId>,
    pub finally: Option<ListId>,
    pub output: Option<Template>,
    /// Bounds the time spent working.
    pub timeout: Duration,
    /// Bounds the wall-clock time since the run was created.
    pub deadline: Option<Duration>,
    /// Bounds the runs that live side by side.
    pub concurrency: Option<Concurrency>,
    /// What a run may spend on language models.
    pub budget: Option<Budget>,
    /// Among the queued runs of its organization.
    pub priority: Priority,
    /// That of steps without one of their own; a run of the plan begins where it is served.
    pub tag: Option<String>,
    /// Something of it reads `run.previous`.
    pub reads_previous: bool,
    /// Run offline by `validate` and `plan test`, never by a run.
    pub tests: Vec<PlanTest>,
    pub ids: HashMap<String, StepIx>,
}

/// One run without the world, and what it should end like.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanTest {
    pub name: String,
    pub inputs: Value,
    /// The root `trigger`.
    pub trigger: Value,
    /// Step → its output, instead of calling.
    pub pinned: HashMap<String, Value>,
    pub status: Option<String>,
    pub output: Option<Value>,
    /// A code.
    pub error: Option<String>,
    /// Of the top list.
    pub steps: Vec<(String, ExpectStepDoc)>,
}

impl Plan {
    pub const TOP: ListId = ListId(0);

    pub fn step(&self, ix: StepIx) -> &Step {
        &self.steps[ix.0 as usize]
    }

    pub fn list(&self, id: ListId) -> &List {
        &self.lists[id.0 as usize]
    }

    /// The step whose effect the step of this id takes back; `None` where it is no undo.
    pub fn undone_by(&self, id: &str) -> Option<StepIx> {
        // Cheap for all others: each event of a run asks.
        let step = self.step(*self.ids.get(id).filter(|_| id.ends_with(UNDO_SUFFIX))?);
        match self.list(step.list).role {
            ListRole::Undo(of) => Some(of),
            _ => None,
        }
    }

    /// Every action of this plan only computes, so a run never waits for the world.
    pub fn computes_only(&self) -> bool {
        self.steps.iter().all(|step| match &step.kind {
            StepKind::Action(action) => action.computes,
            StepKind::Body(_) => true,
        })
    }
}

/// A limit on live runs: of the plan, or of one value of `key`.
#[derive(Clone, Debug)]
pub struct Concurrency {
    pub limit: u32,
    pub key: Option<Template>,
    pub policy: Policy,
}

/// Steps whose edges run among themselves.
#[derive(Clone, Debug)]
pub struct List {
    pub role: ListRole,
    /// In written order.
    pub steps: Vec<StepIx>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRole {
    Top,
    /// The body of a group, `for_each` or `repeat`.
    Body(StepIx),
    /// A step's own `on_error` list.
    StepError(StepIx),
    /// The one action that takes a step's effect back.
    Undo(StepIx),
    PlanError,
    Finally,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub list: ListId,
    /// Place in its list.
    pub place: u32,
    /// Zero-based index in the top list of this step or of the one that encloses it; `None` in the plan's own lists.
    pub number: Option<u32>,
    pub kind: StepKind,
    pub looped: Loop,
    pub condition: Option<Expr>,
    /// One entry per source step.
    pub edges: Vec<Edge>,
    /// Steps of the same list with an edge from this one.
    pub dependents: Vec<StepIx>,
    pub join: Join,
    pub retry: RetryPolicy,
    /// Bounds one attempt; `None` for bodies without one.
    pub timeout: Option<Duration>,
    pub on_error: OnError,
    /// A written `x:error` edge leaves this step.
    pub error_handled: bool,
    /// What takes its effect back, a list of one step.
    pub undo: Option<ListId>,
    pub once: bool,
    /// A result of an earlier call that is used instead of calling.
    pub cache: Option<Cache>,
    /// Its output, instead of running.
    pub pinned: Option<Value>,
    /// Runs where this tag is served; `None`: where untagged steps run.
    pub tag: Option<String>,
    /// An expression of this step reads `now()`.
    pub reads_now: bool,
}

/// Whose result a step may use again, and for how long after it was made.
#[derive(Clone, Debug)]
pub struct Cache {
    /// What it depends on beside the action and its params.
    pub key: Option<Template>,
    pub ttl: Duration,
}

#[derive(Clone, Debug)]
pub enum StepKind {
    Action(Box<ActionStep>),
    Body(ListId),
}

#[derive(Clone, Debug)]
pub struct ActionStep {
    pub provider: String,
    pub action: String,
    /// Template and literal params; evaluates to the object that the action gets.
    pub params: Template,
    pub per_item: Vec<PerItemParam>,
    /// The credential's plain name; the owner's default for the provider when absent.
    pub credential: Option<String>,
    pub computes: bool,
    /// Calls a language model: what a call may use.
    pub model: Option<fn(&Value) -> ModelCall>,
    /// As the action declares it without looking at params.
    pub effect: Effect,
    pub ports: Vec<Port>,
}

impl ActionStep {
    /// Whether a plain edge is live when the step ended in `port`.
    pub fn is_main(&self, port: &str) -> bool {
        self.ports.iter().any(|known| known.main && known.name == port) || port == "success"
    }
}

/// A param that the action evaluates per item.
#[derive(Clone, Debug)]
pub enum PerItemParam {
    Expr {
        name: String,
        expr: Expr,
    },
    /// `switch.cases`: label → expression, in written order.
    Labelled {
        name: String,
        cases: Vec<(String, Expr)>,
    },
    Template {
        name: String,
        template: Template,
    },
}

impl PerItemParam {
    pub fn name(&self) -> &str {
        match self {
            PerItemParam::Expr { name, .. } | PerItemParam::Labelled { name, .. } | PerItemParam::Template { name, .. } => name,
        }
    }
}

/// All the edges that one step has from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub source: StepIx,
    /// Live when any of these is.
    pub ports: Vec<EdgePort>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EdgePort {
    /// Live when the source passed.
    Plain,
    /// Live when the source ended in this port.
    Port(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    #[default]
    All,
    Any,
}

#[derive(Clone, Debug)]
pub enum Loop {
    None,
    ForEach(Box<ForEach>),
    Repeat(Box<Repeat>),
}

#[derive(Clone, Debug)]
pub struct ForEach {
    pub items: Items,
    /// The item's name in scope beside `item`; `item` unless written.
    pub name: String,
    pub max_parallel: u32,
    pub batch: Option<u32>,
    pub on_item_error: OnItemError,
}

#[derive(Clone, Debug)]
pub enum Items {
    Expr(Expr),
    /// A written list, read as a template.
    Template(Template),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnItemError {
    #[default]
    Fail,
    Continue,
}

#[derive(Clone, Debug)]
pub struct Repeat {
    pub until: Option<Expr>,
    pub start: Option<Template>,
    pub next: Option<Template>,
    pub max: u32,
    pub delay: Option<Backoff>,
}

/// A growing delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    pub delay: Duration,
    pub factor: f64,
    pub max_delay: Duration,
    pub jitter: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    pub max_attempts: u32,
    pub backoff: Backoff,
    /// Codes and classes that widen what is retried.
    pub codes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnError {
    Fail,
    Continue,
    Steps(ListId),
}
