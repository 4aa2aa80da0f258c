//! Beginning: a decided step's `if` and list, a ready unit's marker and attempt, and faults before any attempt.

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, EventBody, Started};
use mainspring_model::expr::Fuel;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan::{Items, Loop, StepKind};
use mainspring_model::value::type_name;
use serde_json::Value;

use super::next::MAX_ITEMS;
use super::state::{Addr, StepState, UnitState};
use super::{Illegal, Run, Task, Todo};

impl Run {
    /// A decided step: its `if`, then its list, its first pass, or its first attempt.
    pub(super) fn begin_step(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let frame = self.frame(addr.frame)?;
        if frame.stopped || !matches!(frame.steps[addr.place as usize], StepState::Ready) {
            return None;
        }
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        let path = self.step_path(addr);
        if step.reads_now && !self.nows.contains_key(&path) {
            self.agenda.push_front(Task::Step(addr));
            return Some(Todo::Record(EventBody::Started(Started {
                path,
                attempt: 1,
                now: Some(now),
                once: false,
                reserved: None,
                undo: false,
            })));
        }
        if let Some(condition) = &step.condition {
            match condition.truthy(&self.scope_of(addr, now), &mut Fuel::default()) {
                Ok(true) => {}
                Ok(false) => return Some(Todo::Record(EventBody::Skipped { path })),
                Err(fault) => return self.step_fault(addr, fault),
            }
        }
        if let Some(output) = self.pinned(step).cloned() {
            let mut attempted = self.attempted_base(addr, 1)?;
            attempted.output = output;
            attempted.message = "pinned".to_owned();
            attempted.metadata.insert("pinned".to_owned(), Value::Bool(true));
            return Some(Todo::Record(EventBody::Attempted(Box::new(attempted))));
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
    pub(super) fn begin_unit(&mut self, addr: Addr, now: Millis) -> Option<Todo> {
        let stopped = self.frame(addr.frame)?.stopped;
        let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
        if !matches!(unit.state, UnitState::Ready) || (stopped && !unit.owed) {
            return None;
        }
        let attempt = unit.attempt;
        let plan = self.plan.clone();
        let step = plan.step(self.step_ix(addr)?);
        if matches!(step.kind, StepKind::Action(_)) && !self.may_begin(addr) {
            return None;
        }
        let path = self.unit_path(addr);
        let is_body = matches!(step.kind, StepKind::Body(_));
        let needs_now = step.reads_now && !self.nows.contains_key(&path);
        let needs_start = is_body && step.timeout.is_some() && !self.body_began.contains_key(&path);
        let needs_once = step.once && !is_body && !self.once_open.contains_key(&path);
        let needs_undo = step.undo.is_some() && self.lacks_mark(&path, attempt);
        if needs_now || needs_start || needs_once || needs_undo {
            if needs_once {
                self.flying_once.insert(path.clone());
            }
            self.agenda.push_front(Task::Unit(addr));
            let now = needs_now.then_some(now);
            let started = Started { path, attempt, now, once: needs_once, reserved: None, undo: needs_undo };
            return Some(Todo::Record(EventBody::Started(started)));
        }
        if is_body {
            self.enter_body(addr);
            return None;
        }
        let call = match self.build_call(addr, attempt, now) {
            Ok(call) => self.to_reserve(addr, &path, &call.params).map(|reserved| (call, reserved)),
            Err(fault) => Err(fault),
        };
        match call {
            Ok((_, reserved @ Some(_))) => {
                self.agenda.push_front(Task::Unit(addr));
                Some(Todo::Record(EventBody::Started(Started { path, attempt, now: None, once: false, reserved, undo: false })))
            }
            Ok((call, None)) => {
                let again = self.in_doubt;
                let unit = self.active_mut(addr)?.unit_mut(addr.index)?;
                unit.state = UnitState::InFlight;
                unit.again = again;
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
    pub(super) fn step_fault(&mut self, addr: Addr, fault: Fault) -> Option<Todo> {
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
    pub(super) fn items(&self, addr: Addr, now: Millis) -> Result<Vec<Value>, Fault> {
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
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => format!("{} ({})", type_name(other), mainspring_model::value::preview(other, 60)),
    }
}
