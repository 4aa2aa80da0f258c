//! From what an action returned to what is journalled: success, a repetition, a failure, or a wait.

use mainspring_model::action::{ActionResult, Effect, Outcome};
use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, EventBody, Mark};
use mainspring_model::fault::{Class, Code, Effected, Fault};
use mainspring_model::id::RunId;
use mainspring_model::plan::{Loop, OnError, OnItemError, Step, StepKind};
use mainspring_model::run::{Ending, RunStatus};
use mainspring_model::state::StateWrite;
use serde_json::{Value, json};

use super::state::{Addr, UnitState};
use super::{Run, retry};

/// One attempt as it ended.
pub struct Tried {
    pub result: ActionResult,
    /// The effect of these params, as the action said.
    pub effect: Effect,
    pub latency_us: u64,
    /// For [`Outcome::Call`]: the child, already accepted.
    pub child: Option<RunId>,
    /// Of provider `state`: what the run leaves behind when it succeeds.
    pub write: Option<StateWrite>,
}

impl Run {
    /// The event that records an attempt's end. `None` when the unit is gone and nothing is to be recorded.
    pub fn outcome(&self, addr: Addr, attempt: u32, tried: Tried, now: Millis) -> Option<EventBody> {
        let mut attempted = self.attempted_base(addr, attempt)?;
        attempted.latency_us = tried.latency_us;
        if tried.effect != Effect::Read {
            attempted.effect = Some(tried.effect);
            attempted.again = self.active(addr).and_then(|active| active.unit(addr.index)).is_some_and(|unit| unit.again);
        }
        match tried.result {
            Ok(Outcome::SleepUntil(until)) if until > now => {
                return Some(EventBody::Waiting { path: attempted.path, attempt, until });
            }
            Ok(Outcome::Held(until)) => {
                let again = self.active(addr).and_then(|active| active.unit(addr.index)).is_some_and(|unit| unit.again);
                return Some(EventBody::Held { path: attempted.path, attempt, until, again });
            }
            Ok(Outcome::Call { wait: true, .. }) => match tried.child {
                Some(child) => return Some(EventBody::Called { path: attempted.path, attempt, child }),
                None => {
                    return Some(self.failed(addr, attempted, Fault::internal("the called plan's run was not made"), tried.effect, now));
                }
            },
            Ok(Outcome::Call { wait: false, plan, .. }) => {
                attempted.output = json!({"run_id": tried.child, "plan": plan});
                attempted.message = format!("started \"{plan}\"");
            }
            Ok(Outcome::Wait(mut wait)) => {
                wait.since.get_or_insert(self.header.created_at);
                return Some(EventBody::Awaited { path: attempted.path, attempt, wait });
            }
            // The engine did what these ask for before it came here, and made plain results of them.
            Ok(Outcome::Emit { .. } | Outcome::OpenCallback | Outcome::State(_)) => {
                return Some(self.failed(addr, attempted, Fault::internal("the step's request was not carried out"), tried.effect, now));
            }
            Ok(Outcome::SleepUntil(_)) => attempted.message = "the moment had passed".to_owned(),
            Ok(Outcome::Done(output)) => {
                attempted.port = output.port;
                attempted.output = output.value;
                attempted.message = output.message;
                attempted.metadata = output.metadata;
                attempted.mark = tried.write.map(|write| Mark::State(Box::new(write)));
            }
            Ok(Outcome::Respond { status, headers, body }) => {
                attempted.output = json!({"status": status, "headers": headers, "body": body});
                attempted.mark = Some(Mark::Respond);
            }
            Ok(Outcome::Stop(output)) => {
                attempted.beside = self.flying_beside(addr);
                attempted.mark = Some(if output.is_some() { Mark::Stop } else { Mark::StopPlain });
                attempted.output = output.unwrap_or(Value::Null);
            }
            Err(fault) => return Some(self.failed(addr, attempted, fault, tried.effect, now)),
        }
        Some(EventBody::Attempted(Box::new(attempted)))
    }

    pub(super) fn failed(
        &self,
        addr: Addr,
        mut attempted: mainspring_model::event::Attempted,
        fault: Fault,
        effect: Effect,
        now: Millis,
    ) -> EventBody {
        let step = self.step_ix(addr).map(|ix| self.plan.step(ix));
        let stopped = self.frame(addr.frame).is_none_or(|frame| frame.stopped);
        attempted.status = AttemptStatus::Error;
        let held_back = self.active(addr).and_then(|active| active.unit(addr.index)).map_or(0, |unit| unit.held_back);
        let counted = attempted.attempt.saturating_sub(held_back);
        if let Some(step) = step
            && !stopped
            && (counted < step.retry.max_attempts || retry::is_spared(&fault, held_back, &step.retry))
            && retry::repeats(&fault, effect, step.once, &step.retry)
        {
            let jitter = self.fraction(&attempted.path, attempted.attempt);
            attempted.status = AttemptStatus::Retrying;
            attempted.retry_at = Some(retry::next_attempt_at(&step.retry.backoff, counted, &fault, now, jitter));
        } else if step.is_some_and(ends_its_list) {
            attempted.beside = self.flying_beside(addr);
        }
        attempted.error = Some(fault);
        EventBody::Attempted(Box::new(attempted))
    }

    /// The event of an attempt that was dropped in flight.
    pub fn aborted(&self, addr: Addr, attempt: u32, sent: bool, latency_us: u64) -> Option<EventBody> {
        let mut attempted = self.attempted_base(addr, attempt)?;
        attempted.status = AttemptStatus::Cancelled;
        attempted.latency_us = latency_us;
        if let StepKind::Action(action) = &self.plan.step(self.step_ix(addr)?).kind
            && action.effect != Effect::Read
        {
            attempted.effect = Some(action.effect);
        }
        let effect = if sent { Effected::Unknown } else { Effected::Unsent };
        attempted.error = Some(Fault::new(Code::CANCELLED, "the attempt was given up").class(Class::User).effect(effect));
        Some(EventBody::Attempted(Box::new(attempted)))
    }

    /// Child runs that steps of this run wait for.
    pub fn children(&self) -> Vec<(Addr, u32, RunId)> {
        let mut found = Vec::new();
        self.each_unit(|addr, unit| {
            if let UnitState::Calling(child) = unit.state {
                found.push((addr, unit.attempt, child));
            }
        });
        found.sort_unstable_by_key(|(addr, ..)| (addr.frame, addr.place, addr.index));
        found
    }

    /// The event of a called plan's end.
    pub fn child_ended(&self, addr: Addr, attempt: u32, child: RunId, ending: Ending) -> Option<EventBody> {
        let mut attempted = self.attempted_base(addr, attempt)?;
        attempted.metadata.insert("run_id".to_owned(), json!(child));
        if ending.status == RunStatus::Success {
            attempted.output = ending.output;
            attempted.message = "the called plan succeeded".to_owned();
        } else {
            attempted.status = AttemptStatus::Error;
            let cause = ending.error.as_ref().map_or_else(|| ending.status.as_str().to_owned(), ToString::to_string);
            let fault = Fault::new(Code::RUN_FAILED, format!("the called plan's run {child} ended in {}: {cause}", ending.status.as_str()))
                .details(json!({"run_id": child, "status": ending.status, "error": ending.error}));
            attempted.error = Some(fault);
        }
        Some(EventBody::Attempted(Box::new(attempted)))
    }
}

/// Whether a failed unit of this step stops what runs beside it.
fn ends_its_list(step: &Step) -> bool {
    let item_goes_on = matches!(&step.looped, Loop::ForEach(each) if each.on_item_error == OnItemError::Continue);
    !item_goes_on && (matches!(step.looped, Loop::ForEach(_)) || (step.on_error == OnError::Fail && !step.error_handled))
}
