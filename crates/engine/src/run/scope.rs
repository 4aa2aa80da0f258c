//! What a step's expressions see: the lists around it, from the inside out, and the run's own roots.

use std::borrow::Cow;
use std::collections::HashMap;

use mainspring_model::clock::Millis;
use mainspring_model::expr::{Ambient, Fuel, Scope, StepField, StepKey};
use mainspring_model::fault::Fault;
use mainspring_model::plan::{Loop, Plan};
use mainspring_model::run::StepStatus;
use serde_json::{Map, Value, json};

use super::state::{Active, Addr, Ended, Frame, FrameIx, FrameOwner, StepState};
use super::{Phase, Run};
use crate::previous::PREVIOUS;

/// The scope of one evaluation under one path.
pub(super) struct RunScope<'a> {
    pub run: &'a Run,
    pub frame: FrameIx,
    /// The unit that evaluates; its own loop's `item` or `loop` is in scope.
    pub unit: Option<Addr>,
    /// Under which `now()`, `uuid()` and `random()` are recorded.
    pub path: String,
    pub now: Millis,
}

impl<'a> RunScope<'a> {
    /// Frames from the inside out, each with the unit whose body or handler it is.
    fn frames(&self) -> impl Iterator<Item = &'a Frame> + use<'a> {
        let run = self.run;
        let mut next = Some(self.frame);
        std::iter::from_fn(move || {
            let ix = next?;
            let frame = run.frame(ix)?;
            next = match frame.owner {
                FrameOwner::Body(addr) | FrameOwner::Handler(addr) => Some(addr.frame),
                // The plan's own lists see the top list.
                FrameOwner::PlanError | FrameOwner::Finally => Some(0),
                FrameOwner::Top | FrameOwner::Undo => None,
            };
            Some(frame)
        })
    }

    /// The loops around, innermost first.
    fn loops(&self) -> impl Iterator<Item = Addr> + use<'a> {
        let own = self.unit;
        let bodies: Vec<Addr> = self
            .frames()
            .filter_map(|frame| match frame.owner {
                FrameOwner::Body(addr) => Some(addr),
                _ => None,
            })
            .collect();
        own.into_iter().chain(bodies).filter(|addr| addr.index.is_some())
    }

    fn loop_root(&self, name: &str) -> Option<Cow<'a, Value>> {
        let run = self.run;
        for addr in self.loops() {
            let (Some(active), Some(index)) = (run.active(addr), addr.index) else { continue };
            match active {
                Active::Each(each) => {
                    let own_name = match run.step_ix(addr).map(|ix| &run.plan.step(ix).looped) {
                        Some(Loop::ForEach(spec)) => spec.name.as_str(),
                        _ => "item",
                    };
                    if name == "item" || name == own_name {
                        return each.items.get(index).map(Cow::Borrowed);
                    }
                    if name == "index" {
                        return Some(Cow::Owned(json!(index)));
                    }
                }
                Active::Repeat(repeat) => match name {
                    "loop" => {
                        return Some(Cow::Owned(json!({"index": repeat.index, "value": repeat.value, "output": repeat.output})));
                    }
                    "index" => return Some(Cow::Owned(json!(repeat.index))),
                    _ => {}
                },
                _ => {}
            }
        }
        None
    }

    fn find(&self, key: &StepKey) -> Option<&'a StepState> {
        let plan: &Plan = &self.run.plan;
        match key {
            StepKey::Index(index) => self.run.frame(0)?.steps.get(*index),
            StepKey::Id(id) => {
                let step = plan.step(*plan.ids.get(id)?);
                let frame = self.frames().find(|frame| frame.list == step.list)?;
                frame.steps.get(step.place as usize)
            }
        }
    }

    fn id_of(&self, key: &StepKey) -> Option<(FrameIx, u32)> {
        let plan: &Plan = &self.run.plan;
        match key {
            StepKey::Index(index) => Some((0, u32::try_from(*index).ok()?)),
            StepKey::Id(id) => {
                let step = plan.step(*plan.ids.get(id)?);
                let mut ix = Some(self.frame);
                while let Some(at) = ix {
                    let frame = self.run.frame(at)?;
                    if frame.list == step.list {
                        return Some((at, step.place));
                    }
                    ix = match frame.owner {
                        FrameOwner::Body(addr) | FrameOwner::Handler(addr) => Some(addr.frame),
                        FrameOwner::PlanError | FrameOwner::Finally => Some(0),
                        FrameOwner::Top | FrameOwner::Undo => None,
                    };
                }
                None
            }
        }
    }
}

impl Scope for RunScope<'_> {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        let header = &self.run.header;
        match name {
            "inputs" => return Some(Cow::Borrowed(&header.inputs)),
            "vars" => return Some(Cow::Borrowed(&self.run.vars)),
            "org" => return Some(Cow::Borrowed(&header.org)),
            "trigger" => return Some(Cow::Borrowed(&header.trigger)),
            "run" => return Some(Cow::Owned(self.run.run_root())),
            _ => {}
        }
        if name == "error" {
            let found = self.frames().find_map(|frame| frame.locals.iter().find(|(local, _)| local == "error"));
            return found.map(|(_, value)| Cow::Borrowed(value));
        }
        self.loop_root(name)
    }

    fn root_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["inputs", "vars", "org", "steps", "trigger", "run"].map(str::to_owned).to_vec();
        for name in ["item", "index", "loop", "error"] {
            if self.root(name).is_some() {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>> {
        let state = self.find(key)?;
        if field == StepField::IdempotencyKey {
            let (frame, place) = self.id_of(key)?;
            let path = self.run.step_path(Addr { frame, place, index: None });
            return Some(Cow::Owned(Value::String(self.run.keys.idempotency_key(&self.run.header, &path))));
        }
        Some(match state {
            StepState::Ended(ended) => field_of(ended, field),
            StepState::NotReached => unfinished(StepStatus::NotReached, field),
            StepState::Pending | StepState::Ready if self.run.phase != Phase::Main => unfinished(StepStatus::NotReached, field),
            StepState::Pending | StepState::Ready => unfinished(StepStatus::Pending, field),
            // An `on_error` list sees its own step: it failed, and this is how.
            StepState::Active(active) => match &**active {
                Active::Handling { cause, errors } => match field {
                    StepField::Error => Cow::Owned(cause.to_value()),
                    StepField::Errors => Cow::Borrowed(errors),
                    StepField::Attempts => Cow::Owned(json!(cause.attempts)),
                    StepField::Message => Cow::Owned(Value::String(cause.fault.message.clone())),
                    _ => unfinished(StepStatus::Error, field),
                },
                _ => unfinished(StepStatus::Running, field),
            },
        })
    }

    fn step_names(&self) -> Vec<String> {
        let plan = &self.run.plan;
        self.frames().flat_map(|frame| plan.list(frame.list).steps.iter().map(|ix| plan.step(*ix).id.clone())).collect()
    }

    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for RunScope<'_> {
    fn now(&self) -> i64 {
        self.run.nows.get(&self.path).copied().unwrap_or(self.now)
    }

    fn random_bits(&self, n: u32) -> u128 {
        self.run.keys.random_bits(&self.run.header, &self.path, n)
    }
}

fn field_of(ended: &Ended, field: StepField) -> Cow<'_, Value> {
    match field {
        StepField::Output => Cow::Borrowed(&ended.output),
        StepField::Message => Cow::Owned(Value::String(ended.message.clone())),
        StepField::Metadata => Cow::Owned(Value::Object(ended.metadata.clone())),
        StepField::Status => Cow::Owned(Value::String(ended.status.as_str().to_owned())),
        StepField::Error => Cow::Owned(ended.error.as_ref().map_or(Value::Null, super::Failure::to_value)),
        StepField::Errors => Cow::Borrowed(&ended.errors),
        StepField::Attempts => Cow::Owned(json!(ended.attempts)),
        StepField::IdempotencyKey => Cow::Owned(Value::Null),
    }
}

fn unfinished(status: StepStatus, field: StepField) -> Cow<'static, Value> {
    Cow::Owned(match field {
        StepField::Status => Value::String(status.as_str().to_owned()),
        StepField::Metadata => Value::Object(Map::new()),
        StepField::Message => Value::String(String::new()),
        StepField::Attempts => json!(0),
        _ => Value::Null,
    })
}

impl Run {
    fn run_root(&self) -> Value {
        let header = &self.header;
        json!({
            "id": header.id,
            "plan_id": header.plan_id,
            "url": format!("/api/runs/{}", header.id),
            "started_at": rfc3339(header.created_at),
            "status": self.status_so_far().as_str(),
            "previous": header.trigger.get(PREVIOUS).cloned().unwrap_or_default(),
            "environment": header.environment,
        })
    }

    pub(super) fn scope_of(&self, addr: Addr, now: Millis) -> RunScope<'_> {
        RunScope { run: self, frame: addr.frame, unit: Some(addr), path: self.unit_path(addr), now }
    }

    /// `vars` in written order, each seeing the ones above it.
    pub(super) fn evaluate_vars(&mut self) -> Result<(), Fault> {
        let plan = self.plan.clone();
        for (name, template) in &plan.vars {
            let scope = RunScope { run: self, frame: 0, unit: None, path: format!("vars.{name}"), now: self.header.created_at };
            let value = template.eval(&scope, &mut Fuel::default())?;
            self.vars[name.as_str()] = value;
        }
        Ok(())
    }

    /// The plan's `output`, or the output of its last successful step.
    pub(super) fn evaluate_output(&self) -> Result<Value, Fault> {
        match &self.plan.output {
            Some(template) => {
                let scope = RunScope { run: self, frame: 0, unit: None, path: "output".to_owned(), now: self.last_at };
                template.eval(&scope, &mut Fuel::default())
            }
            None => Ok(self.frame(0).map_or(Value::Null, Frame::output)),
        }
    }

    /// Outputs of the top list, by index; null for steps without one.
    pub fn top_outputs(&self) -> Vec<Value> {
        let Some(frame) = self.frame(0) else { return Vec::new() };
        (0..frame.steps.len())
            .map(|place| frame.ended(u32::try_from(place).unwrap_or(0)).map_or(Value::Null, |ended| ended.output.clone()))
            .collect()
    }

    /// Ids and statuses of the top list, in list order, with the error of those that failed.
    pub fn top_steps(&self) -> Vec<(String, StepStatus, Option<Fault>)> {
        let Some(frame) = self.frame(0) else { return Vec::new() };
        let ids = self.plan.list(Plan::TOP).steps.iter().map(|ix| self.plan.step(*ix).id.clone());
        ids.zip(&frame.steps).map(|(id, step)| (id, self.status_of(step), error_of(step))).collect()
    }

    pub(super) fn status_of(&self, step: &StepState) -> StepStatus {
        match step {
            StepState::Pending if self.finished => StepStatus::NotReached,
            StepState::Pending => StepStatus::Pending,
            StepState::Ready if self.finished => StepStatus::NotReached,
            StepState::Ready => StepStatus::Pending,
            StepState::NotReached => StepStatus::NotReached,
            StepState::Ended(ended) => ended.status,
            StepState::Active(active) => match &**active {
                Active::Single(unit) if unit.waits() => StepStatus::Waiting,
                _ => StepStatus::Running,
            },
        }
    }
}

fn error_of(step: &StepState) -> Option<Fault> {
    match step {
        StepState::Ended(ended) => ended.error.as_ref().map(|failure| failure.fault.clone()),
        _ => None,
    }
}

pub(crate) fn rfc3339(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| format!("{at:.3}"))
}

/// A per-item scope that outlives the run's borrow: what its expressions read was copied when the step started.
pub(super) struct Captured {
    roots: HashMap<String, Value>,
    steps: HashMap<(StepKey, StepField), Value>,
    now: Millis,
    random: Vec<u128>,
}

impl Captured {
    /// Copies what the references read out of `scope`.
    pub fn of<'r>(scope: &RunScope<'_>, references: impl Iterator<Item = &'r mainspring_model::expr::Reference>) -> Captured {
        use mainspring_model::expr::ReferenceKind;
        let mut captured = Captured { roots: HashMap::new(), steps: HashMap::new(), now: Ambient::now(scope), random: Vec::new() };
        for reference in references {
            match &reference.kind {
                ReferenceKind::Root(name) => {
                    if !captured.roots.contains_key(name)
                        && let Some(value) = scope.root(name)
                    {
                        captured.roots.insert(name.clone(), value.into_owned());
                    }
                }
                ReferenceKind::Step(key, field) => {
                    let key = (key.clone(), *field);
                    if !captured.steps.contains_key(&key)
                        && let Some(value) = scope.step(&key.0, key.1)
                    {
                        captured.steps.insert(key, value.into_owned());
                    }
                }
            }
        }
        captured.random = (0..32).map(|n| scope.random_bits(n)).collect();
        captured
    }
}

/// [`Captured`] with the item's own names before it.
pub(super) struct ItemScope<'a> {
    pub captured: &'a Captured,
    pub locals: &'a [(&'a str, &'a Value)],
}

impl Scope for ItemScope<'_> {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        let local = self.locals.iter().find(|(local, _)| *local == name).map(|(_, value)| *value);
        local.or_else(|| self.captured.roots.get(name)).map(Cow::Borrowed)
    }
    fn root_names(&self) -> Vec<String> {
        self.locals.iter().map(|(name, _)| (*name).to_owned()).chain(self.captured.roots.keys().cloned()).collect()
    }
    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>> {
        self.captured.steps.get(&(key.clone(), field)).map(Cow::Borrowed)
    }
    fn step_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for ItemScope<'_> {
    fn now(&self) -> i64 {
        self.captured.now
    }
    fn random_bits(&self, n: u32) -> u128 {
        // Each item draws its own numbers: the index is mixed in by rotation of the captured ones.
        let salt = self.locals.iter().find(|(name, _)| *name == "index").and_then(|(_, value)| value.as_u64()).unwrap_or(0);
        let bits = self.captured.random[n as usize % self.captured.random.len()];
        bits.rotate_left(u32::try_from(salt % 127).unwrap_or(0))
            ^ (u128::from(salt).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }
}
