//! Units of work: entering bodies, and what the end of a unit means for its step, its list and the run.

use mainspring_model::clock::Millis;
use mainspring_model::plan::{ListRole, Loop, OnError, StepIx, StepKind};
use mainspring_model::run::StepStatus;
use serde_json::{Value, json};

use super::state::{Active, Addr, Ended, Failure, Frame, FrameIx, FrameOwner, StepState, Unit, UnitEnd, UnitState};
use super::{Illegal, Run, Task, path};

impl Run {
    pub(super) fn step_ix(&self, addr: Addr) -> Option<StepIx> {
        Some(self.frame(addr.frame)?.step_ix(&self.plan, addr.place))
    }

    /// The path of the step, without an item's index.
    pub(super) fn step_path(&self, addr: Addr) -> String {
        self.unit_path(Addr { index: None, ..addr })
    }

    /// The path of the unit; empty when its frame is gone.
    pub(super) fn unit_path(&self, addr: Addr) -> String {
        let Some(frame) = self.frame(addr.frame) else { return String::new() };
        path::join(&frame.prefix, &self.plan.step(frame.step_ix(&self.plan, addr.place)).id, addr.index)
    }

    /// The unit that a path names. Bodies on the way that are ready are entered: their entry has no event of its own.
    pub(super) fn locate(&mut self, text: &str) -> Result<Addr, Illegal> {
        let parts = path::parse(text).ok_or_else(|| self.illegal(format!("\"{text}\" is no step path")))?;
        let mut addr: Option<Addr> = None;
        for part in parts {
            let ix = *self.plan.ids.get(part.id).ok_or_else(|| self.illegal(format!("the plan has no step \"{}\"", part.id)))?;
            let step = self.plan.step(ix);
            let (place, list) = (step.place, step.list);
            let frame = match (addr, self.plan.list(list).role) {
                (None, ListRole::Top) => Some(0),
                (None, ListRole::PlanError | ListRole::Finally) => {
                    // The turn of the plan's own lists has no event of its own.
                    if self.frame(self.current).is_none_or(|frame| frame.list != list) {
                        self.advance_phase();
                    }
                    Some(self.current)
                }
                (Some(outer), ListRole::Body(_)) => self.enter_body(outer),
                (Some(outer), ListRole::StepError(_)) => self.handler_of(outer),
                _ => None,
            };
            let frame = frame.filter(|frame| self.frame(*frame).is_some_and(|frame| frame.list == list));
            let frame = frame.ok_or_else(|| self.illegal(format!("the list of \"{text}\" is not under way")))?;
            addr = Some(Addr { frame, place, index: part.index });
        }
        addr.ok_or_else(|| self.illegal("an empty step path"))
    }

    fn handler_of(&self, addr: Addr) -> Option<FrameIx> {
        self.frames.iter().enumerate().rev().find_map(|(ix, frame)| match frame.as_deref()?.owner {
            FrameOwner::Handler(owner) if owner.frame == addr.frame && owner.place == addr.place => u32::try_from(ix).ok(),
            _ => None,
        })
    }

    /// The active state of a step that is ready or active; a ready one becomes active.
    pub(super) fn activate(&mut self, addr: Addr) -> Option<&mut Active> {
        let ix = self.step_ix(addr)?;
        let looped = !matches!(self.plan.step(ix).looped, Loop::None);
        let frame = self.frame_mut(addr.frame)?;
        let state = &mut frame.steps[addr.place as usize];
        if matches!(state, StepState::Ready) {
            if looped {
                return None;
            }
            *state = StepState::Active(Box::new(Active::Single(Unit::ready())));
            frame.active += 1;
        }
        match &mut frame.steps[addr.place as usize] {
            StepState::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn set_active(&mut self, addr: Addr, active: Active) -> bool {
        let Some(frame) = self.frame_mut(addr.frame) else { return false };
        let state = &mut frame.steps[addr.place as usize];
        match state {
            StepState::Ready => {
                *state = StepState::Active(Box::new(active));
                frame.active += 1;
                true
            }
            StepState::Active(old) => {
                **old = active;
                true
            }
            _ => false,
        }
    }

    pub(super) fn active(&self, addr: Addr) -> Option<&Active> {
        match &self.frame(addr.frame)?.steps[addr.place as usize] {
            StepState::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn unit(&mut self, addr: Addr) -> Option<&mut Unit> {
        if let Some(index) = addr.index {
            self.ensure_item(addr, index);
        }
        self.activate(addr)?.unit_mut(addr.index)
    }

    /// The body frame of a unit, entered when the unit is ready for an attempt.
    pub(super) fn enter_body(&mut self, addr: Addr) -> Option<FrameIx> {
        let ix = self.step_ix(addr)?;
        let StepKind::Body(list) = self.plan.step(ix).kind else { return None };
        let prefix = format!("{}.", self.unit_path(addr));
        let unit = self.unit(addr)?;
        match unit.state {
            UnitState::Body(frame) => return Some(frame),
            UnitState::Ready | UnitState::RetryAt(_) => {}
            _ => return None,
        }
        let frame = Frame::new(&self.plan, list, FrameOwner::Body(addr), prefix, Vec::new());
        let frame = self.add_frame(frame);
        self.unit(addr)?.state = UnitState::Body(frame);
        self.open_frame(frame);
        Some(frame)
    }

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

    fn is_stopped(&self, frame: FrameIx) -> bool {
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
    fn mark_ended(&mut self, addr: Addr, ended: Ended) -> bool {
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
            FrameOwner::Top | FrameOwner::PlanError | FrameOwner::Finally => self.end_phase(ix, end),
            FrameOwner::Body(addr) => self.end_body(ix, addr, end),
            FrameOwner::Handler(addr) => {
                self.frames[ix as usize] = None;
                self.end_handler(addr, end);
            }
        }
    }

    fn end_body(&mut self, frame: FrameIx, addr: Addr, end: UnitEnd) {
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

    fn end_handler(&mut self, addr: Addr, end: UnitEnd) {
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

    /// No new step of this frame or of the bodies in it starts; attempts in flight finish.
    pub(super) fn stop_frame(&mut self, ix: FrameIx) {
        let Some(frame) = self.frame_mut(ix) else { return };
        if frame.stopped {
            return;
        }
        frame.stopped = true;
        for place in 0..frame.steps.len() {
            self.stop_step(Addr { frame: ix, place: u32::try_from(place).expect("at most 1,000 steps"), index: None });
        }
    }

    fn stop_step(&mut self, addr: Addr) {
        if self.is_ahead(addr) {
            // Replaying: this step was under way when its list stopped, and its end is still to come.
            self.activate(addr);
        }
        if self.frame(addr.frame).is_some_and(|frame| matches!(frame.steps[addr.place as usize], StepState::Ready)) {
            // Live, a ready step is begun at once; in a replay it may have been in flight. Both read the same afterwards.
            return self.close_step(addr, Ended::cancelled());
        }
        let Some(active) = self.active(addr) else { return };
        match active {
            Active::Single(unit) => {
                let nested = body_of(unit);
                self.stop_unit(addr, nested);
            }
            Active::Each(_) => self.stop_each(addr),
            Active::Repeat(repeat) => {
                let addr = Addr { index: Some(repeat.index), ..addr };
                if repeat.between {
                    self.end_unit_dropped(addr);
                } else {
                    let nested = body_of(&repeat.unit);
                    self.stop_unit(addr, nested);
                }
            }
            Active::Handling { .. } => {
                if let Some(frame) = self.handler_of(addr) {
                    self.stop_frame(frame);
                    self.check_over(frame);
                }
            }
        }
    }

    pub(super) fn stop_unit(&mut self, addr: Addr, body: Option<FrameIx>) {
        if let Some(frame) = body {
            self.stop_frame(frame);
            self.check_over(frame);
            return;
        }
        let ahead = self.is_ahead(addr);
        let Some(unit) = self.unit(addr) else { return };
        if !matches!(unit.state, UnitState::InFlight) && !ahead && !unit.owed {
            self.end_unit_dropped(addr);
        }
    }

    fn end_unit_dropped(&mut self, addr: Addr) {
        match self.active(addr) {
            Some(Active::Repeat(_)) => self.end_step(addr, UnitEnd::Dropped, 0, Value::Null),
            _ => self.end_unit(addr, UnitEnd::Dropped),
        }
    }

    /// Replaying, and an attempt under this path has an end that was not replayed yet.
    pub(super) fn is_ahead(&self, addr: Addr) -> bool {
        if self.replay_ahead.is_empty() {
            return false;
        }
        let path = self.unit_path(addr);
        self.replay_ahead
            .keys()
            .any(|ahead| ahead.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
    }

    pub(super) fn failure(&self, addr: Addr, fault: mainspring_model::fault::Fault, attempts: u32) -> Failure {
        Failure { fault, step: self.unit_path(addr), item: self.item_of(addr), attempts }
    }

    /// Paths of the attempts in flight, but for the one at `addr`.
    pub(super) fn flying_beside(&self, addr: Addr) -> Vec<String> {
        if self.in_flight < 2 {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (ix, frame) in self.frames.iter().enumerate() {
            let Some(frame) = frame else { continue };
            for place in 0..frame.steps.len() {
                let at = |index| Addr { frame: ix as FrameIx, place: place as u32, index };
                let flies = |unit: &Unit| matches!(unit.state, UnitState::InFlight);
                match &frame.steps[place] {
                    StepState::Active(active) => match &**active {
                        Active::Single(unit) if flies(unit) => found.push(at(None)),
                        Active::Each(each) => {
                            found.extend(each.units.iter().filter(|(_, unit)| flies(unit)).map(|(index, _)| at(Some(*index))))
                        }
                        Active::Repeat(repeat) if flies(&repeat.unit) => found.push(at(Some(repeat.index))),
                        _ => {}
                    },
                    _ => continue,
                }
            }
        }
        found.retain(|other| *other != addr);
        found.sort_unstable_by_key(|addr| (addr.frame, addr.place, addr.index));
        found.into_iter().map(|addr| self.unit_path(addr)).collect()
    }

    /// Marks attempts that were in flight when their list stopped.
    pub(super) fn owe(&mut self, paths: &[String]) -> Result<(), Illegal> {
        for path in paths {
            let addr = self.locate(path)?;
            if let Some(unit) = self.unit(addr) {
                unit.owed = true;
                if matches!(unit.state, UnitState::Ready) {
                    self.agenda.push_back(Task::Unit(addr));
                }
            }
        }
        Ok(())
    }

    /// When a body's attempt began, for its `timeout`.
    pub(super) fn body_began(&mut self, addr: Addr, at: Millis) {
        self.body_began.insert(self.unit_path(addr), at);
    }

    pub(super) fn item_of(&self, addr: Addr) -> Value {
        match (self.active(addr), addr.index) {
            (Some(Active::Each(each)), Some(index)) => each.items.get(index as usize).cloned().unwrap_or(Value::Null),
            (Some(Active::Repeat(repeat)), Some(_)) => json!({"index": repeat.index, "value": repeat.value}),
            _ => Value::Null,
        }
    }
}

fn body_of(unit: &Unit) -> Option<FrameIx> {
    match unit.state {
        UnitState::Body(frame) => Some(frame),
        _ => None,
    }
}
