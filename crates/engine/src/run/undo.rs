//! Taking effects back: what was done and has an `undo` is remembered as it ends, and undone newest first when the run falls.
//!
//! An undo's params are worked out when its effect is recorded, while the loops around it are still there: from the journal
//! alone, so a resumed run undoes the same.

use std::borrow::Cow;
use std::collections::HashMap;

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Attempted};
use mainspring_model::expr::{Ambient, Fuel, Scope, StepField, StepKey};
use mainspring_model::fault::{Code, Effected, Fault};
use mainspring_model::plan::{ListId, StepKind};
use mainspring_model::run::{RunStatus, StepStatus};
use serde_json::{Value, json};

use super::scope::RunScope;
use super::state::{Addr, Frame, FrameIx, FrameOwner};
use super::{Phase, Run, path};

/// An effect that can be taken back.
pub(super) struct Undoable {
    /// Of the unit whose effect it is.
    path: String,
    list: ListId,
    /// Nobody heard how it ended.
    is_unknown: bool,
    /// An attempt ended without word; what a later one proves of itself says nothing of that.
    is_unheard: bool,
    params: Result<Value, Fault>,
}

/// What a run remembers of the effects that it may have to take back.
#[derive(Default)]
pub(super) struct Undoing {
    /// In the order in which they were recorded.
    open: Vec<Undoable>,
    /// Attempts that began, by path.
    marks: HashMap<String, u32>,
    /// The undo under way.
    params: Option<(FrameIx, Result<Value, Fault>)>,
    /// The next one of a unit with several effects.
    again: u32,
}

impl Run {
    /// Whether an attempt of a step with an `undo` still has to be marked: a crash must not hide that it began.
    pub(super) fn lacks_mark(&self, path: &str, attempt: u32) -> bool {
        self.phase == Phase::Main && self.undoing.marks.get(path) != Some(&attempt)
    }

    /// An attempt begins: until its end is known, it may have had its effect.
    pub(super) fn mark_effect(&mut self, addr: Addr, attempt: u32, at: Millis) {
        let Some(mut attempted) = self.attempted_base(addr, attempt) else { return };
        attempted.status = AttemptStatus::Cancelled;
        attempted.error = Some(Fault::new(Code::CANCELLED, "the process died while the step ran").effect(Effected::Unknown));
        self.note_effect(addr, &attempted, at, true);
        self.undoing.marks.insert(attempted.path, attempt);
    }

    /// The attempt that was marked has not begun.
    pub(super) fn unmark_effect(&mut self, path: &str) {
        self.undoing.marks.remove(path);
        self.undoing.open.retain(|other| !(other.is_unknown && !other.is_unheard && other.path == path));
    }

    /// Remembers an attempt of a step with an `undo`, before its end is acted upon.
    pub(super) fn remember_effect(&mut self, addr: Addr, attempted: &Attempted, at: Millis) {
        self.note_effect(addr, attempted, at, false);
    }

    fn note_effect(&mut self, addr: Addr, attempted: &Attempted, at: Millis, is_mark: bool) {
        let plan = self.plan.clone();
        let Some(ix) = self.step_ix(addr) else { return };
        let Some(list) = plan.step(ix).undo else { return };
        // What is pinned did nothing.
        if self.phase != Phase::Main || self.pinned(plan.step(ix)).is_some() {
            return;
        }
        if attempted.status != AttemptStatus::Retrying {
            self.undoing.marks.remove(&attempted.path);
        }
        let done = attempted.status == AttemptStatus::Success;
        let is_unknown = attempted.error.as_ref().is_some_and(|error| error.effect == Effected::Unknown);
        let before = self.undoing.open.iter().any(|other| other.is_unheard && other.path == attempted.path);
        let is_unheard = before || attempted.again || (is_unknown && !is_mark);
        // A later attempt says more of the same effect.
        self.undoing.open.retain(|other| !(other.is_unknown && other.path == attempted.path));
        if !done && !is_unknown && !is_unheard {
            return;
        }
        let StepKind::Action(action) = &plan.step(plan.list(list).steps[0]).kind else { return };
        let scope = Recorded { inner: self.scope_of(addr, at), id: &plan.step(ix).id, attempted };
        let params = action.params.eval(&scope, &mut Fuel::default());
        // A body that begins again repeats its effects; the same one is undone once.
        // A mark says only that it may be: what is known to have been done stays beside it.
        if !is_mark {
            self.undoing.open.retain(|other| other.path != attempted.path || other.params != params);
        }
        self.undoing.open.push(Undoable { path: attempted.path.clone(), list, is_unknown: !done, is_unheard: is_unheard && !done, params });
    }

    /// Begins the next undo of a run that falls; `false` when there is none.
    pub(super) fn begin_undo(&mut self) -> bool {
        let falls = matches!(self.verdict.status, RunStatus::Error | RunStatus::TimedOut | RunStatus::Cancelled);
        if !falls || !matches!(self.phase, Phase::Main | Phase::Undo) {
            return false;
        }
        let Some(next) = self.undoing.open.pop() else { return false };
        self.undoing.open.retain(|other| other.path != next.path || other.params != next.params);
        let earlier = self.undoing.open.iter().filter(|other| other.path == next.path).count();
        let prefix = match earlier {
            0 => format!("{}.", next.path),
            _ => {
                self.undoing.again += 1;
                format!("{}.again_{}.", next.path, self.undoing.again)
            }
        };
        self.phase = Phase::Undo;
        let frame = Frame::new(&self.plan, next.list, FrameOwner::Undo, prefix, Vec::new());
        self.current = self.add_frame(frame);
        self.undoing.params = Some((self.current, next.params));
        self.open_frame(self.current);
        true
    }

    /// What is still open will not be undone.
    pub(super) fn give_up_undoing(&mut self) {
        self.undoing.open.clear();
    }

    /// The params of the undo whose list this is.
    pub(super) fn undo_params(&self, frame: FrameIx) -> Option<Result<Value, Fault>> {
        self.undoing.params.as_ref().filter(|(of, _)| *of == frame).map(|(_, params)| params.clone())
    }

    /// Whether the path is an undo's.
    pub(super) fn is_undo(&self, text: &str) -> bool {
        self.plan.undone_by(text.rsplit('.').next().unwrap_or(text)).is_some()
    }

    /// The unit of an undo's path. Whose turn it is has no event of its own.
    pub(super) fn locate_undo(&mut self, text: &str) -> Option<Addr> {
        let id = text.rsplit('.').next()?;
        let list = self.plan.step(self.plan.undone_by(id)?).undo?;
        let is_current =
            |run: &Run| run.frame(run.current).is_some_and(|frame| frame.list == list && path::join(&frame.prefix, id, None) == text);
        if !is_current(self) {
            self.advance_phase();
        }
        is_current(self).then_some(Addr { frame: self.current, place: 0, index: None })
    }
}

/// The scope of a step as one attempt of it was recorded.
struct Recorded<'a> {
    inner: RunScope<'a>,
    /// The step's own id.
    id: &'a str,
    attempted: &'a Attempted,
}

impl Recorded<'_> {
    fn is_own(&self, key: &StepKey) -> bool {
        match key {
            StepKey::Id(id) => id == self.id,
            StepKey::Index(index) => {
                !self.attempted.path.contains('.') && self.attempted.step_number.map(|number| number as usize) == Some(*index)
            }
        }
    }
}

impl Scope for Recorded<'_> {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.inner.root(name)
    }

    fn root_names(&self) -> Vec<String> {
        self.inner.root_names()
    }

    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>> {
        if !self.is_own(key) {
            return self.inner.step(key, field);
        }
        let attempted = self.attempted;
        let status = if attempted.status == AttemptStatus::Success { StepStatus::Success } else { StepStatus::Error };
        Some(match field {
            StepField::Output => Cow::Borrowed(&attempted.output),
            StepField::Message => Cow::Owned(Value::String(attempted.message.clone())),
            StepField::Metadata => Cow::Owned(Value::Object(attempted.metadata.clone())),
            StepField::Status => Cow::Owned(json!(status.as_str())),
            StepField::Error => Cow::Owned(attempted.error.as_ref().map_or(Value::Null, Fault::to_value)),
            StepField::Errors => Cow::Owned(Value::Null),
            StepField::Attempts => Cow::Owned(json!(attempted.attempt)),
            StepField::IdempotencyKey => {
                let run = self.inner.run;
                Cow::Owned(Value::String(run.keys.idempotency_key(&run.header, &attempted.path)))
            }
        })
    }

    fn step_names(&self) -> Vec<String> {
        self.inner.step_names()
    }

    fn ambient(&self) -> &dyn Ambient {
        &self.inner
    }
}
