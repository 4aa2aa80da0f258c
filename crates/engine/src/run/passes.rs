//! Between attempts of a body: what follows a pass of a `repeat`, and whether a failed body begins again.

use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::expr::Fuel;
use mainspring_model::fault::Class;
use mainspring_model::plan::Loop;

use super::state::{Active, Addr, UnitState};
use super::{Run, Task, Timer, Todo, retry, timer_addr};

impl Run {
    /// A pass ended: `until`, then the next pass, at once or after the delay.
    pub(super) fn between_passes(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let Loop::Repeat(spec) = &step.looped else { return None };
        let path = self.step_path(addr);
        let Some(Active::Repeat(repeat)) = self.active(addr) else { return None };
        if !repeat.between || self.frame(addr.frame)?.stopped {
            return None;
        }
        let index = repeat.index;
        match self.rows_first(addr, Task::Between(addr)) {
            Ok(None) => {}
            Ok(Some(wanted)) => return wanted.map(|wanted| Todo::Rows(Box::new(wanted))),
            Err(error) => return Some(Todo::Record(EventBody::BodyFailed { path, attempt: 1, error, retry_at: None })),
        }
        if let Some(until) = &spec.until {
            let scope = self.between_scope(addr, now);
            match until.truthy(&scope, &mut Fuel::default()) {
                Ok(true) => return Some(Todo::Record(EventBody::Closed { path })),
                Ok(false) => {}
                Err(fault) => return Some(Todo::Record(EventBody::BodyFailed { path, attempt: 1, error: fault, retry_at: None })),
            }
        }
        if index + 1 >= spec.max {
            // Without a condition, `max` passes are what was asked for.
            if spec.until.is_none() {
                return Some(Todo::Record(EventBody::Closed { path }));
            }
            let error = self.max_reached(spec.max);
            return Some(Todo::Record(EventBody::BodyFailed { path, attempt: 1, error, retry_at: None }));
        }
        if let Some(backoff) = &spec.delay {
            let unit = retry::delay(backoff, index + 1);
            let jitter = if backoff.jitter { unit.mul_f64(0.5 * self.fraction(&path, index)) } else { std::time::Duration::ZERO };
            let at = self.last_at.saturating_add(super::millis(unit + jitter));
            if at > now {
                if let Some(Active::Repeat(repeat)) = self.active_mut(addr) {
                    repeat.resume_at = Some(at);
                }
                self.timer(at, Timer::Unit(timer_addr(addr)));
                return None;
            }
        }
        self.next_pass(addr, now)
    }

    pub(super) fn next_pass(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let Loop::Repeat(spec) = &step.looped else { return None };
        let Some(Active::Repeat(repeat)) = self.active(addr) else { return None };
        if self.frame(addr.frame)?.stopped || repeat.resume_at.is_some_and(|at| at > now) {
            return None;
        }
        let index = repeat.index + 1;
        let path = self.step_path(addr);
        let value = match &spec.next {
            Some(template) => template.eval(&self.between_scope(addr, now), &mut Fuel::default()),
            None => Ok(repeat.value.clone()),
        };
        Some(Todo::Record(match value {
            Ok(value) => EventBody::Pass { path, index, value },
            Err(error) => EventBody::BodyFailed { path, attempt: 1, error, retry_at: None },
        }))
    }

    /// `until` and `next` see the body steps of the pass just ended, and `loop`.
    pub(super) fn between_scope(&self, addr: Addr, now: Millis) -> super::scope::RunScope<'_> {
        let (index, body) = match self.active(addr) {
            Some(Active::Repeat(repeat)) => (repeat.index, repeat.ended_body),
            _ => (0, None),
        };
        let unit = Addr { index: Some(index), ..addr };
        let mut scope = self.scope_of(unit, now);
        if let Some(body) = body {
            scope.frame = body;
        }
        scope
    }

    pub(super) fn body_verdict(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let path = self.unit_path(addr);
        let stopped = self.frame(addr.frame)?.stopped;
        let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
        let UnitState::BodyFailed(failure) = &unit.state else { return None };
        let (failure, attempt) = (failure.clone(), unit.attempt);
        let policy = &self.plan.step(self.step_ix(addr)?).retry;
        let again = !stopped && attempt < policy.max_attempts && !matches!(failure.fault.class, Class::User | Class::Internal);
        let retry_at = again.then(|| retry::next_attempt_at(&policy.backoff, attempt, &failure.fault, now, self.fraction(&path, attempt)));
        Some(Todo::Record(EventBody::BodyFailed { path, attempt, error: failure.fault, retry_at }))
    }
}
