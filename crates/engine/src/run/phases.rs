//! How a run ends: failure, stop, cancel and time limits, then the plan's `on_error` and `finally`, then one terminal state.

use mainspring_model::event::TimeLimit;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::plan::ListId;
use mainspring_model::run::{Ending, RunStatus};
use serde_json::Value;

use super::state::{Active, Addr, Failure, Frame, FrameIx, FrameOwner, StepState, UnitEnd, UnitState};
use super::{Phase, Run, Task, Verdict};

impl Run {
    /// The list of the current phase ended.
    pub(super) fn end_phase(&mut self, frame: FrameIx, end: UnitEnd) {
        if frame != self.current {
            return;
        }
        if let UnitEnd::Failed(failure) = end {
            match self.phase {
                Phase::Main if self.verdict.status == RunStatus::Success && self.verdict.output.is_none() => {
                    self.verdict = Verdict { status: RunStatus::Error, output: None, error: Some(failure) };
                }
                Phase::Finally if self.verdict.status == RunStatus::Success => {
                    self.verdict = Verdict { status: RunStatus::Error, output: None, error: Some(failure) };
                }
                _ => self.beside.push(failure),
            }
        }
        self.agenda.push_back(Task::Phase);
    }

    /// What follows the phase that ended; `None` while its list still goes on.
    pub(super) fn advance_phase(&mut self) {
        let over = self.frame(self.current).is_none_or(Frame::is_over);
        if !over || self.phase == Phase::Over {
            return;
        }
        let plan = self.plan.clone();
        if self.phase == Phase::Main {
            self.settle_output();
        }
        if self.begin_undo() {
            return;
        }
        loop {
            self.phase = match self.phase {
                Phase::Main | Phase::Undo => Phase::OnError,
                Phase::OnError => Phase::Finally,
                Phase::Finally | Phase::Over => Phase::Over,
            };
            let failed = matches!(self.verdict.status, RunStatus::Error | RunStatus::TimedOut);
            let next = match self.phase {
                Phase::OnError if failed => plan.on_error.map(|list| (list, FrameOwner::PlanError)),
                Phase::Finally => plan.finally.map(|list| (list, FrameOwner::Finally)),
                Phase::Over => return,
                _ => None,
            };
            if let Some((list, owner)) = next {
                self.begin_phase(list, owner);
                return;
            }
        }
    }

    fn begin_phase(&mut self, list: ListId, owner: FrameOwner) {
        let error = self.verdict.error.as_ref().map_or(Value::Null, Failure::to_value);
        let frame = Frame::new(&self.plan, list, owner, String::new(), vec![("error".to_owned(), error)]);
        self.current = self.add_frame(frame);
        self.open_frame(self.current);
    }

    /// The run's output, worked out when its steps have ended; a template that fails makes the run fail.
    fn settle_output(&mut self) {
        if self.verdict.status != RunStatus::Success || self.verdict.output.is_some() {
            return;
        }
        match self.evaluate_output() {
            Ok(output) => self.verdict.output = Some(output),
            Err(fault) => {
                let error = Failure { fault, step: String::new(), item: Value::Null, attempts: 0 };
                self.verdict = Verdict { status: RunStatus::Error, output: None, error: Some(error) };
            }
        }
    }

    /// `logic.stop`: the run ends in success; only attempts in flight go on.
    pub(super) fn stop(&mut self, output: Option<Value>) {
        if self.phase == Phase::Main && self.verdict.status == RunStatus::Success && self.verdict.output.is_none() {
            self.verdict.output = output.or_else(|| self.frame(0).map(Frame::output));
        }
        self.stop_current();
    }

    fn stop_current(&mut self) {
        self.stop_frame(self.current);
        self.check_over(self.current);
    }

    /// Cancelled: attempts in flight are aborted, then `finally`. A second time ends the plan's own lists too.
    pub(super) fn cancel(&mut self) {
        self.cancels += 1;
        match self.phase {
            Phase::Main if self.cancels == 1 => {
                let fault = Fault::new(Code::CANCELLED, "the run was cancelled").class(Class::User);
                self.end_early(RunStatus::Cancelled, fault);
            }
            Phase::Undo | Phase::OnError | Phase::Finally if self.cancels > 1 => {
                self.give_up_undoing();
                self.abort_frames();
                self.stop_current();
            }
            _ => {}
        }
    }

    pub(super) fn time_out(&mut self, limit: TimeLimit) {
        if self.phase != Phase::Main {
            return;
        }
        let message = match limit {
            TimeLimit::Timeout => format!(
                "the run worked for longer than its timeout of {}; raise the plan's \"timeout\" or split the plan",
                mainspring_model::duration::format(self.plan.timeout)
            ),
            TimeLimit::Deadline => format!(
                "the run passed its deadline of {} after it was created",
                mainspring_model::duration::format(self.plan.deadline.unwrap_or_default())
            ),
        };
        self.end_early(RunStatus::TimedOut, Fault::new(Code::TIMEOUT, message));
    }

    fn end_early(&mut self, status: RunStatus, fault: Fault) {
        let error = Failure { fault, step: String::new(), item: Value::Null, attempts: 0 };
        self.verdict = Verdict { status, output: None, error: Some(error) };
        self.abort_frames();
        self.stop_current();
    }

    /// Asks the driver to drop every attempt in flight.
    pub(super) fn abort_frames(&mut self) {
        for ix in 0..self.frames.len() {
            self.abort_frame(u32::try_from(ix).expect("fewer than 2^32 frames"));
        }
    }

    pub(super) fn abort_frame(&mut self, ix: FrameIx) {
        let Some(frame) = self.frame(ix) else { return };
        let mut found = Vec::new();
        for (place, step) in frame.steps.iter().enumerate() {
            let StepState::Active(active) = step else { continue };
            let addr = |index| Addr { frame: ix, place: u32::try_from(place).expect("at most 1,000 steps"), index };
            match &**active {
                Active::Single(unit) if matches!(unit.state, UnitState::InFlight) => found.push(addr(None)),
                Active::Each(each) => {
                    found.extend(
                        each.units
                            .iter()
                            .filter(|(_, unit)| matches!(unit.state, UnitState::InFlight))
                            .map(|(index, _)| addr(Some(*index))),
                    );
                }
                Active::Repeat(repeat) if matches!(repeat.unit.state, UnitState::InFlight) => found.push(addr(Some(repeat.index))),
                _ => {}
            }
        }
        found.sort_unstable_by_key(|addr| (addr.place, addr.index));
        self.aborts.append(&mut found);
    }

    /// The terminal event's content.
    pub(super) fn ending(&self) -> Ending {
        let verdict = &self.verdict;
        let mut error = verdict.error.clone().map(Failure::into_fault);
        if !self.beside.is_empty() {
            let beside: Vec<Value> = self.beside.iter().map(Failure::to_value).collect();
            let fault = error.get_or_insert_with(|| Fault::new(Code::RUN_FAILED, "a list of the plan failed beside the run"));
            let mut details = match fault.details.take() {
                Some(Value::Object(fields)) => fields,
                _ => serde_json::Map::new(),
            };
            details.insert("beside".to_owned(), Value::Array(beside));
            fault.details = Some(Value::Object(details));
        }
        let output = if verdict.status == RunStatus::Success { verdict.output.clone().unwrap_or(Value::Null) } else { Value::Null };
        Ending { status: verdict.status, output, blob: None, error }
    }

    /// A terminal state that no phase follows.
    pub(super) fn ending_now(status: RunStatus, fault: Fault) -> Ending {
        Ending { status, output: Value::Null, blob: None, error: Some(fault) }
    }

    /// The status that `finally` sees.
    pub(super) fn status_so_far(&self) -> RunStatus {
        if self.phase == Phase::Main { RunStatus::Running } else { self.verdict.status }
    }
}
