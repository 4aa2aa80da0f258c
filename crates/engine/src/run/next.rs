//! `Run::next`: what to do now. Evaluates conditions and lists, and turns what it decides into events to be recorded.

use std::cmp::Reverse;

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Attempted, EventBody, Started, TimeLimit};
use mainspring_model::expr::Fuel;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::plan::{Items, Loop, StepKind};
use mainspring_model::run::RunStatus;
use mainspring_model::value::type_name;
use serde_json::Value;

use super::state::{Active, Addr, StepState, UnitState};
use super::{Call, Illegal, Phase, Run, Task, Timer, addr_of, retry, timer_addr};

/// The most items a `for_each` may have.
pub const MAX_ITEMS: usize = 100_000;

/// One thing for the driver to do.
pub enum Todo {
    /// Journal this, apply it, and ask again.
    Record(EventBody),
    /// Make this attempt.
    Call(Box<Call>),
    /// Drop the attempt in flight of this unit and record it as cancelled.
    Abort(Addr),
    /// Nothing, until an attempt ends or this moment comes.
    Wait(Option<Millis>),
    /// The run has ended.
    Over,
}

impl Run {
    /// What to do now. Call again after each answer.
    pub fn next(&mut self, now: Millis) -> Todo {
        if self.finished {
            return Todo::Over;
        }
        if let Some(path) = self.undecided_once() {
            let fault = Fault::new(
                Code::INTERNAL,
                format!("the process died while \"{path}\" ran once; whether it did its work is not known, and it will not be repeated"),
            )
            .class(Class::User);
            return Todo::Record(EventBody::Finished(Run::ending_now(RunStatus::NeedsDecision, fault)));
        }
        while let Some(addr) = self.aborts.pop() {
            if self.is_in_flight(addr) {
                return Todo::Abort(addr);
            }
        }
        if let Some(limit) = self.passed_limit(now) {
            return Todo::Record(EventBody::TimedOut { limit });
        }
        loop {
            while let Some(task) = self.agenda.pop_front() {
                if let Some(todo) = self.task(task, now) {
                    return todo;
                }
            }
            match self.due_timer(now) {
                None => break,
                Some(timer) => {
                    if let Some(todo) = self.on_timer(timer, now) {
                        return todo;
                    }
                }
            }
        }
        if self.phase == Phase::Over {
            return Todo::Record(EventBody::Finished(self.ending()));
        }
        Todo::Wait(self.next_moment(now))
    }

    fn due_timer(&mut self, now: Millis) -> Option<Timer> {
        let Reverse((at, _, timer)) = *self.timers.peek()?;
        (at <= now).then(|| {
            self.timers.pop();
            timer
        })
    }

    fn next_moment(&self, now: Millis) -> Option<Millis> {
        let timer = self.timers.peek().map(|Reverse((at, _, _))| *at);
        let work = (self.in_flight > 0 && self.phase == Phase::Main).then(|| {
            let left = super::millis(self.plan.timeout).saturating_sub(Millis::try_from(self.worked_until(now)).unwrap_or(Millis::MAX));
            now.saturating_add(left.max(0))
        });
        timer.into_iter().chain(work).min()
    }

    fn worked_until(&self, now: Millis) -> u64 {
        let flying = match self.flying_since {
            Some(since) if self.in_flight > 0 => now.saturating_sub(since.max(self.worked.1)).max(0),
            _ => 0,
        };
        self.worked.0 + u64::try_from(flying).unwrap_or(0)
    }

    fn passed_limit(&self, now: Millis) -> Option<TimeLimit> {
        let limit = Millis::try_from(self.plan.timeout.as_millis()).unwrap_or(Millis::MAX);
        let over = Millis::try_from(self.worked_until(now)).unwrap_or(Millis::MAX) >= limit;
        // A plan of zero time still may decide and compute; only work that takes time is bounded.
        (over && self.phase == Phase::Main && self.in_flight > 0).then_some(TimeLimit::Timeout)
    }

    fn undecided_once(&self) -> Option<&String> {
        let mut open: Vec<&String> = self.once_open.keys().filter(|path| !self.flying_once.contains(*path)).collect();
        open.sort_unstable();
        open.into_iter().next()
    }

    fn is_in_flight(&mut self, addr: Addr) -> bool {
        self.active_mut(addr).and_then(|active| active.unit_mut(addr.index)).is_some_and(|unit| matches!(unit.state, UnitState::InFlight))
    }

    fn task(&mut self, task: Task, now: Millis) -> Option<Todo> {
        match task {
            Task::Step(addr) => self.begin_step(addr, now),
            Task::Unit(addr) => self.begin_unit(addr, now),
            Task::Feed(addr) => {
                self.feed(addr);
                self.check_each(addr);
                None
            }
            Task::Between(addr) => self.between_passes(addr, now),
            Task::Verdict(addr) => self.body_verdict(addr, now),
            Task::Phase => {
                self.advance_phase();
                None
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Millis) -> Option<Todo> {
        match timer {
            Timer::Deadline => (self.phase == Phase::Main).then_some(Todo::Record(EventBody::TimedOut { limit: TimeLimit::Deadline })),
            Timer::BodyTimeout(addr, attempt) => {
                let addr = addr_of(addr);
                let path = self.unit_path(addr);
                let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
                let outlived = matches!(unit.state, UnitState::Body(_)) && unit.attempt == attempt;
                outlived.then_some(Todo::Record(EventBody::BodyTimedOut { path, attempt }))
            }
            Timer::Unit(addr) => {
                let addr = addr_of(addr);
                if let Some(Active::Repeat(repeat)) = self.active(addr)
                    && repeat.between
                {
                    return self.next_pass(addr, now);
                }
                let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
                match unit.state {
                    UnitState::RetryAt(at) if at <= now => {
                        unit.state = UnitState::Ready;
                        self.begin_unit(addr, now)
                    }
                    UnitState::Sleeping(until) if until <= now => {
                        let attempt = unit.attempt;
                        let mut attempted = self.attempted_base(addr, attempt)?;
                        attempted.message = "slept".to_owned();
                        Some(Todo::Record(EventBody::Attempted(Box::new(attempted))))
                    }
                    _ => None,
                }
            }
        }
    }

    /// A decided step: its `if`, then its list, its first pass, or its first attempt.
    fn begin_step(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let frame = self.frame(addr.frame)?;
        if frame.stopped || !matches!(frame.steps[addr.place as usize], StepState::Ready) {
            return None;
        }
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let path = self.step_path(addr);
        if step.reads_now && !self.nows.contains_key(&path) {
            self.agenda.push_front(Task::Step(addr));
            return Some(Todo::Record(EventBody::Started(Started { path, attempt: 1, now: Some(now), once: false })));
        }
        if let Some(condition) = &step.condition {
            match condition.truthy(&self.scope_of(addr, now), &mut Fuel::default()) {
                Ok(true) => {}
                Ok(false) => return Some(Todo::Record(EventBody::Skipped { path })),
                Err(fault) => return self.step_fault(addr, fault),
            }
        }
        match &step.looped {
            Loop::None => {
                self.activate(addr);
                self.begin_unit(addr, now)
            }
            Loop::ForEach(_) => match self.items(addr, now) {
                Ok(items) => {
                    let count = u32::try_from(items.len()).expect("at most 100,000 items");
                    self.stash = Some((path.clone(), items));
                    Some(Todo::Record(EventBody::Opened { path, attempt: 1, items: count }))
                }
                Err(fault) => self.step_fault(addr, fault),
            },
            Loop::Repeat(repeat) => {
                let start = match &repeat.start {
                    Some(template) => template.eval(&self.scope_of(addr, now), &mut Fuel::default()),
                    None => Ok(Value::Null),
                };
                match start {
                    Ok(value) => Some(Todo::Record(EventBody::Pass { path, index: 0, value })),
                    Err(fault) => self.step_fault(addr, fault),
                }
            }
        }
    }

    /// A ready unit: its marker when it needs one, then the attempt, or the body.
    fn begin_unit(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let stopped = self.frame(addr.frame)?.stopped;
        let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
        if !matches!(unit.state, UnitState::Ready) || (stopped && !unit.owed) {
            return None;
        }
        let attempt = unit.attempt;
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let path = self.unit_path(addr);
        let is_body = matches!(step.kind, StepKind::Body(_));
        let needs_now = step.reads_now && !self.nows.contains_key(&path);
        let needs_start = is_body && step.timeout.is_some() && !self.body_began.contains_key(&path);
        let needs_once = step.once && !is_body && !self.once_open.contains_key(&path);
        if needs_now || needs_start || needs_once {
            if needs_once {
                self.flying_once.insert(path.clone());
            }
            self.agenda.push_front(Task::Unit(addr));
            let now = needs_now.then_some(now);
            return Some(Todo::Record(EventBody::Started(Started { path, attempt, now, once: needs_once })));
        }
        if is_body {
            self.enter_body(addr);
            return None;
        }
        match self.build_call(addr, attempt, now) {
            Ok(call) => {
                self.active_mut(addr)?.unit_mut(addr.index)?.state = UnitState::InFlight;
                if self.in_flight == 0 {
                    self.flying_since = Some(now);
                }
                self.in_flight += 1;
                Some(Todo::Call(Box::new(call)))
            }
            Err(fault) => {
                let mut attempted = self.attempted_base(addr, attempt)?;
                attempted.status = AttemptStatus::Error;
                attempted.port = None;
                attempted.error = Some(fault);
                Some(Todo::Record(EventBody::Attempted(Box::new(attempted))))
            }
        }
    }

    /// A step that fails before any attempt. A plain action step shows it as its first attempt.
    fn step_fault(&mut self, addr: Addr, fault: Fault) -> Option<Todo> {
        let step = self.plan.step(self.step_ix(addr)?);
        let plain = matches!(step.looped, Loop::None) && matches!(step.kind, StepKind::Action(_));
        if plain {
            let mut attempted = self.attempted_base(addr, 1)?;
            attempted.status = AttemptStatus::Error;
            attempted.port = None;
            attempted.error = Some(fault);
            return Some(Todo::Record(EventBody::Attempted(Box::new(attempted))));
        }
        Some(Todo::Record(EventBody::BodyFailed { path: self.step_path(addr), attempt: 1, error: fault, retry_at: None }))
    }

    /// The list of a `for_each`, batched.
    fn items(&self, addr: Addr, now: Millis) -> Result<Vec<Value>, Fault> {
        let plan = self.plan.clone();
        let ix = self.step_ix(addr).ok_or_else(|| Fault::internal("the loop's list is gone"))?;
        let Loop::ForEach(spec) = &plan.step(ix).looped else { return Err(Fault::internal("the step does not loop")) };
        let scope = self.scope_of(addr, now);
        let list = match &spec.items {
            Items::Expr(expr) => expr.eval_ref(&scope, &mut Fuel::default())?.into_owned(),
            Items::Template(template) => template.eval(&scope, &mut Fuel::default())?,
        };
        let Value::Array(items) = list else {
            return Err(Fault::invalid_params(format!("\"for_each\" needs a list, and its expression gave {}", described(&list))));
        };
        if items.len() > MAX_ITEMS {
            let message =
                format!("\"for_each\" got {} items; at most {MAX_ITEMS} are allowed, so split the list or use \"batch\"", items.len());
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        Ok(match spec.batch {
            Some(size) if size > 0 => items.chunks(size as usize).map(|chunk| Value::Array(chunk.to_vec())).collect(),
            _ => items,
        })
    }

    /// The list of the loop that opens: as `begin_step` just saw it, or, in a replay, read again from the same recorded results.
    pub(super) fn take_items(&mut self, addr: Addr, count: u32) -> Result<Vec<Value>, Illegal> {
        let path = self.step_path(addr);
        let items = match self.stash.take() {
            Some((stashed, items)) if stashed == path => items,
            _ => self.items(addr, self.last_at).map_err(|fault| self.illegal(fault.message))?,
        };
        if items.len() != count as usize {
            return Err(self.illegal(format!("the list of \"{path}\" has {} items, and {count} were recorded", items.len())));
        }
        Ok(items)
    }

    /// A pass ended: `until`, then the next pass, at once or after the delay.
    fn between_passes(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let Loop::Repeat(spec) = &step.looped else { return None };
        let path = self.step_path(addr);
        let Some(Active::Repeat(repeat)) = self.active(addr) else { return None };
        if !repeat.between || self.frame(addr.frame)?.stopped {
            return None;
        }
        let index = repeat.index;
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

    fn next_pass(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
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
    fn between_scope(&self, addr: Addr, now: Millis) -> super::scope::RunScope<'_> {
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

    fn body_verdict(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
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

    /// The common part of a finished attempt's event, as a success without output.
    pub(super) fn attempted_base(&self, addr: Addr, attempt: u32) -> Option<Attempted> {
        let step = self.plan.step(self.step_ix(addr)?);
        let (provider, action) = match &step.kind {
            StepKind::Action(action) => (action.provider.clone(), action.action.clone()),
            StepKind::Body(_) => (String::new(), String::new()),
        };
        Some(Attempted {
            path: self.unit_path(addr),
            attempt,
            status: AttemptStatus::Success,
            provider,
            action,
            step_number: step.number,
            latency_us: 0,
            port: None,
            output: Value::Null,
            blob: None,
            message: String::new(),
            metadata: serde_json::Map::new(),
            error: None,
            retry_at: None,
            beside: Vec::new(),
            mark: None,
        })
    }

    /// A recorded random fraction in 0..1, the same in every replay.
    pub(super) fn fraction(&self, path: &str, n: u32) -> f64 {
        let bits = self.keys.random_bits(&self.header, path, n.wrapping_add(0x4000_0000));
        (bits >> 75) as f64 / (1_u64 << 53) as f64
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => format!("{} ({})", type_name(other), mainspring_model::value::preview(other, 60)),
    }
}
