//! Beginning: a decided step's `if` and list, a ready unit's marker and attempt, and faults before any attempt.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, EventBody, Started};
use mainspring_model::expr::Fuel;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan::{Items as Written, Loop, StepKind};
use mainspring_model::value::type_name;
use serde_json::Value;

use super::next::MAX_ITEMS;
use super::rows::{Items, RowSource};
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
        match self.rows_first(addr, Task::Step(addr)) {
            Ok(None) => {}
            Ok(Some(wanted)) => return wanted.map(|wanted| Todo::Rows(Box::new(wanted))),
            Err(fault) => return self.step_fault(addr, fault),
        }
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
                Ok(Listed::Items(items)) => {
                    let count = u32::try_from(items.len()).expect("at most 100,000 items");
                    self.stash = Some((path.clone(), Items::List(items)));
                    Some(Todo::Record(EventBody::Opened { path, attempt: 1, items: count }))
                }
                Ok(Listed::Rows(source)) => match self.counting.remove(&path) {
                    Some(Some(Ok(counted))) => {
                        let count = counted.total.unwrap_or(0);
                        self.stash = Some((path.clone(), Items::rows(counted.source)));
                        Some(Todo::Record(EventBody::Opened { path, attempt: 1, items: count }))
                    }
                    Some(Some(Err(fault))) => self.step_fault(addr, fault),
                    Some(None) => {
                        self.counting.insert(path, None);
                        None
                    }
                    None => self.count_rows(addr, &path, source).map(|wanted| Todo::Rows(Box::new(wanted))),
                },
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
        match self.rows_first(addr, Task::Unit(addr)) {
            Ok(None) => {}
            Ok(Some(wanted)) => return wanted.map(|wanted| Todo::Rows(Box::new(wanted))),
            Err(error) if matches!(step.kind, StepKind::Body(_)) => {
                return Some(Todo::Record(EventBody::BodyFailed { path, attempt, error, retry_at: None }));
            }
            Err(fault) => {
                let mut attempted = self.attempted_base(addr, attempt)?;
                attempted.status = AttemptStatus::Error;
                attempted.port = None;
                attempted.error = Some(fault);
                return Some(Todo::Record(EventBody::Attempted(Box::new(attempted))));
            }
        }
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
            Ok(call) => self.reservation(addr, &path, &call.params).map(|reserved| (call, reserved)),
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
                unit.again |= again;
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
    pub(super) fn items(&self, addr: Addr, now: Millis) -> Result<Listed, Fault> {
        let plan = self.plan.clone();
        let ix = self.step_ix(addr).ok_or_else(|| Fault::internal("the loop's list is gone"))?;
        let Loop::ForEach(spec) = &plan.step(ix).looped else { return Err(Fault::internal("the step does not loop")) };
        let scope = self.scope_of(addr, now);
        let list = match &spec.items {
            Written::Expr(expr) => expr.eval_ref(&scope, &mut Fuel::default())?.into_owned(),
            Written::Template(template) => template.eval(&scope, &mut Fuel::default())?,
        };
        if let Some(source) = RowSource::of(&list, spec.batch) {
            return source.map(Listed::Rows);
        }
        let Value::Array(items) = list else {
            return Err(Fault::invalid_params(format!("\"for_each\" needs a list, and its expression gave {}", described(&list))));
        };
        if items.len() > MAX_ITEMS {
            let message =
                format!("\"for_each\" got {} items; at most {MAX_ITEMS} are allowed, so split the list or use \"batch\"", items.len());
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        Ok(Listed::Items(match spec.batch {
            Some(size) if size > 0 => items.chunks(size as usize).map(|chunk| Value::Array(chunk.to_vec())).collect(),
            _ => items,
        }))
    }

    /// The list of the loop that opens: as `begin_step` just saw it, or, in a replay, read again from the same recorded results.
    pub(super) fn take_items(&mut self, addr: Addr, count: u32) -> Result<Items, Illegal> {
        let path = self.step_path(addr);
        let items = match self.stash.take() {
            Some((stashed, items)) if stashed == path => items,
            _ => match self.items(addr, self.last_at) {
                Ok(Listed::Items(items)) => Items::List(items),
                Ok(Listed::Rows(source)) => Items::rows(Arc::new(source)),
                // What it said came out of a row that nobody can read any more.
                Err(_) if self.is_in_unknown_row(addr) => Items::List(vec![Value::Null; count as usize]),
                Err(fault) => return Err(self.illegal(fault.message)),
            },
        };
        match &items {
            Items::List(items) if items.len() != count as usize => {
                Err(self.illegal(format!("the list of \"{path}\" has {} items, and {count} were recorded", items.len())))
            }
            _ => Ok(items),
        }
    }
}

/// What a `for_each` is to go over.
pub(super) enum Listed {
    Items(Vec<Value>),
    Rows(RowSource),
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => format!("{} ({})", type_name(other), mainspring_model::value::preview(other, 60)),
    }
}
