//! Ends: what the end of a unit means for its step, its list and the run.

use mainspring_model::event::Attempted;
use mainspring_model::plan::{Loop, OnError, Step, StepKind};
use mainspring_model::run::StepStatus;
use serde_json::Value;

use super::state::{Active, Addr, Ended, Failure, Frame, FrameIx, FrameOwner, StepState, UnitEnd, UnitState};
use super::{Run, Task};

impl Run {
    /// A unit's end: its loop goes on, or its step ends.
    pub(super) fn end_unit(&mut self, addr: Addr, end: UnitEnd) {
        let Some(active) = self.active(addr) else { return };
        match (active, addr.index) {
            (Active::Single(unit), _) => {
                let attempts = unit.attempt;
                self.end_step(addr, end, attempts, Value::Null);
            }
            (Active::Each(_), Some(index)) => self.end_item(addr, index, end),
            (Active::Repeat(_), Some(_)) => self.end_pass(addr, end),
            _ => {}
        }
    }

    /// A step's end by the result of its units, before `on_error`.
    pub(super) fn end_step(&mut self, addr: Addr, end: UnitEnd, attempts: u32, errors: Value) {
        let Some(ix) = self.step_ix(addr) else { return };
        let plan = self.plan.clone();
        let step = plan.step(ix);
        let addr = Addr { index: None, ..addr };
        match end {
            UnitEnd::Ok { port, output, message, metadata } => {
                let passes = match &step.kind {
                    StepKind::Action(action) if matches!(step.looped, Loop::None) => action.is_main(&port),
                    _ => true,
                };
                let ended = Ended { status: StepStatus::Success, port, output, message, metadata, error: None, errors, attempts, passes };
                if step.once {
                    self.once_done.insert(self.step_path(addr), ended.clone());
                }
                self.close_step(addr, ended);
            }
            UnitEnd::Dropped => self.close_step(addr, Ended { attempts, errors, ..Ended::cancelled() }),
            UnitEnd::Failed(failure) => match step.on_error {
                OnError::Steps(list) if !self.is_stopped(addr.frame) => {
                    let prefix = format!("{}.", self.step_path(addr));
                    let locals = vec![("error".to_owned(), failure.to_value())];
                    self.set_active(addr, Active::Handling { cause: failure, errors });
                    let frame = Frame::new(&plan, list, FrameOwner::Handler(addr), prefix, locals);
                    let frame = self.add_frame(frame);
                    self.open_frame(frame);
                }
                OnError::Continue => self.fail_step(addr, failure, attempts, errors, true),
                _ => self.fail_step(addr, failure, attempts, errors, false),
            },
        }
    }

    /// The output that the step has instead of running.
    pub(super) fn pinned<'s>(&'s self, step: &'s Step) -> Option<&'s Value> {
        self.pins.get(&step.id).or(step.pinned.as_ref())
    }

    /// Whether the path names a whole loop or body: the one end that such a path has of its own is a pinned output.
    pub(super) fn is_whole(&self, addr: Addr) -> bool {
        let step = self.step_ix(addr).map(|ix| self.plan.step(ix));
        addr.index.is_none() && step.is_some_and(|step| !matches!(step.looped, Loop::None) || matches!(step.kind, StepKind::Body(_)))
    }

    /// A loop or body whose output was given instead.
    pub(super) fn close_pinned(&mut self, addr: Addr, attempted: Attempted) {
        let (output, message, metadata) = (attempted.output, attempted.message, attempted.metadata);
        self.close_step(addr, Ended { output, message, metadata, attempts: 1, passes: true, ..Ended::blank() });
    }

    pub(super) fn is_stopped(&self, frame: FrameIx) -> bool {
        self.frame(frame).is_none_or(|frame| frame.stopped)
    }

    pub(super) fn fail_step(&mut self, addr: Addr, failure: Failure, attempts: u32, errors: Value, passes: bool) {
        let Some(ix) = self.step_ix(addr) else { return };
        let handled = passes || self.plan.step(ix).error_handled;
        let ended = Ended {
            status: StepStatus::Error,
            port: "error".into(),
            message: failure.fault.message.clone(),
            error: Some(failure.clone()),
            errors,
            attempts,
            passes,
            ..Ended::blank()
        };
        // The step ends before its list stops: stopping must not drop the very step that failed.
        if !self.mark_ended(addr, ended) {
            return;
        }
        if !handled && let Some(frame) = self.frame_mut(addr.frame) {
            frame.failure.get_or_insert(failure);
            self.stop_frame(addr.frame);
        }
        self.decide_dependents(addr.frame, ix);
        self.check_over(addr.frame);
    }

    /// A step's end: its dependents are decided, and its list may be over.
    pub(super) fn close_step(&mut self, addr: Addr, ended: Ended) {
        let Some(ix) = self.step_ix(addr) else { return };
        if self.mark_ended(addr, ended) {
            self.decide_dependents(addr.frame, ix);
            self.check_over(addr.frame);
        }
    }

    /// The one place where a step becomes ended; `false` when it was.
    pub(super) fn mark_ended(&mut self, addr: Addr, ended: Ended) -> bool {
        let Some(frame) = self.frame_mut(addr.frame) else { return false };
        let state = &mut frame.steps[addr.place as usize];
        match state {
            StepState::Active(_) => frame.active -= 1,
            StepState::Ready | StepState::Pending => {}
            StepState::Ended(_) | StepState::NotReached => return false,
        }
        *state = StepState::Ended(Box::new(ended));
        frame.open -= 1;
        true
    }

    /// Ends the frame when nothing of it goes on any more.
    pub(super) fn check_over(&mut self, ix: FrameIx) {
        let Some(frame) = self.frame_mut(ix) else { return };
        if !frame.is_over() {
            return;
        }
        let end = match frame.failure.take() {
            Some(failure) => UnitEnd::Failed(failure),
            None if frame.stopped && frame.open > 0 => UnitEnd::Dropped,
            None => {
                UnitEnd::Ok { port: "success".into(), output: frame.output(), message: String::new(), metadata: serde_json::Map::new() }
            }
        };
        match frame.owner {
            FrameOwner::Top | FrameOwner::Undo | FrameOwner::PlanError | FrameOwner::Finally => self.end_phase(ix, end),
            FrameOwner::Body(addr) => self.end_body(ix, addr, end),
            FrameOwner::Handler(addr) => {
                self.frames[ix as usize] = None;
                self.end_handler(addr, end);
            }
        }
    }

    pub(super) fn end_body(&mut self, frame: FrameIx, addr: Addr, end: UnitEnd) {
        let Some(ix) = self.step_ix(addr) else { return };
        let retries = self.plan.step(ix).retry.max_attempts > 1;
        let repeat = matches!(self.plan.step(ix).looped, Loop::Repeat(_));
        let began = self.unit_path(addr);
        self.body_began.remove(&began);
        let Some(unit) = self.unit(addr) else { return };
        match end {
            UnitEnd::Failed(failure) if retries => {
                unit.state = UnitState::BodyFailed(failure);
                self.frames[frame as usize] = None;
                self.agenda.push_back(Task::Verdict(addr));
            }
            end => {
                // `until` and `next` see the body steps of the pass that just ended.
                if repeat && matches!(end, UnitEnd::Ok { .. }) {
                    self.keep_body(addr, frame);
                } else {
                    self.frames[frame as usize] = None;
                }
                self.end_unit(addr, end);
            }
        }
    }

    pub(super) fn end_handler(&mut self, addr: Addr, end: UnitEnd) {
        let Some(Active::Handling { cause, errors }) = self.active(addr) else { return };
        let (cause, errors, attempts) = (cause.clone(), errors.clone(), cause.attempts);
        match end {
            UnitEnd::Ok { output, .. } => {
                let ended = Ended { output, errors, attempts, passes: true, ..Ended::blank() };
                self.close_step(addr, ended);
            }
            UnitEnd::Failed(mut failure) => {
                let mut details = match failure.fault.details.take() {
                    Some(Value::Object(fields)) => fields,
                    _ => serde_json::Map::new(),
                };
                details.insert("cause".to_owned(), cause.to_value());
                failure.fault.details = Some(Value::Object(details));
                self.fail_step(addr, failure, attempts, errors, false);
            }
            UnitEnd::Dropped => self.close_step(addr, Ended { attempts, ..Ended::cancelled() }),
        }
    }
}
