//! `Run::next`: what to do now. Evaluates conditions and lists, and turns what it decides into events to be recorded.

use std::cmp::Reverse;

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Attempted, EventBody, TimeLimit};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::plan::StepKind;
use mainspring_model::run::RunStatus;
use serde_json::Value;

use super::state::{Active, Addr, UnitState};
use super::{Awaiting, Call, Phase, RowsWanted, Run, Task, Timer, addr_of};

/// The most items a `for_each` may have.
pub const MAX_ITEMS: usize = 100_000;

/// The most entries that a run's journal may have: loops in loops would else fill the memory and the disk.
pub const MAX_ENTRIES: u32 = 1_000_000;

/// One thing for the driver to do.
pub enum Todo {
    /// Journal this, apply it, and ask again.
    Record(EventBody),
    /// Make this attempt.
    Call(Box<Call>),
    /// Drop the attempt in flight of this unit and record it as cancelled.
    Abort(Addr),
    /// This wait is over: look once more for a signal that came in time, then record that none did ([`Run::timed_out`]).
    LastLook(Box<Awaiting>),
    /// Read rows of a file, and answer with [`Run::rows_read`].
    Rows(Box<RowsWanted>),
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
        if self.seq >= self.most_entries {
            return self.overflow();
        }
        loop {
            while let Some(task) = self.agenda.pop_front() {
                if let Some(todo) = self.task(task, now) {
                    return todo;
                }
            }
            // All that could be under way was begun; what comes now was waiting.
            self.in_doubt = false;
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

    /// Starts nothing more, `finally` included: it would need entries too. What is in flight lands first.
    fn overflow(&self) -> Todo {
        if self.in_flight > 0 {
            return Todo::Wait(None);
        }
        let message = format!(
            "the run's journal has {} entries, the most that are kept of one run; split the work over several runs with `logic.call`",
            self.seq
        );
        Todo::Record(EventBody::Finished(Run::ending_now(RunStatus::Error, Fault::new(Code::LIMIT_EXCEEDED, message))))
    }

    pub(super) fn due_timer(&mut self, now: Millis) -> Option<Timer> {
        let Reverse((at, _, timer)) = *self.timers.peek()?;
        (at <= now).then(|| {
            self.timers.pop();
            timer
        })
    }

    pub(super) fn next_moment(&self, now: Millis) -> Option<Millis> {
        let timer = self.timers.peek().map(|Reverse((at, _, _))| *at);
        let work = (self.in_flight > 0 && self.phase == Phase::Main).then(|| {
            let left = super::millis(self.plan.timeout).saturating_sub(Millis::try_from(self.worked_until(now)).unwrap_or(Millis::MAX));
            now.saturating_add(left.max(0))
        });
        timer.into_iter().chain(work).min()
    }

    pub(super) fn worked_until(&self, now: Millis) -> u64 {
        let flying = match self.flying_since {
            Some(since) if self.in_flight > 0 => now.saturating_sub(since.max(self.worked.1)).max(0),
            _ => 0,
        };
        self.worked.0 + u64::try_from(flying).unwrap_or(0)
    }

    pub(super) fn passed_limit(&self, now: Millis) -> Option<TimeLimit> {
        let limit = Millis::try_from(self.plan.timeout.as_millis()).unwrap_or(Millis::MAX);
        let over = Millis::try_from(self.worked_until(now)).unwrap_or(Millis::MAX) >= limit;
        // A plan of zero time still may decide and compute; only work that takes time is bounded.
        (over && self.phase == Phase::Main && self.in_flight > 0).then_some(TimeLimit::Timeout)
    }

    pub(super) fn undecided_once(&self) -> Option<&String> {
        let mut open: Vec<&String> = self.once_open.keys().filter(|path| !self.flying_once.contains(*path)).collect();
        open.sort_unstable();
        open.into_iter().next()
    }

    pub(super) fn is_in_flight(&mut self, addr: Addr) -> bool {
        self.active_mut(addr).and_then(|active| active.unit_mut(addr.index)).is_some_and(|unit| matches!(unit.state, UnitState::InFlight))
    }

    pub(super) fn task(&mut self, task: Task, now: Millis) -> Option<Todo> {
        match task {
            Task::Step(addr) => self.begin_step(addr, now),
            Task::Unit(addr) => self.begin_unit(addr, now),
            Task::Feed(addr) => {
                let wanted = self.feed(addr);
                self.check_each(addr);
                wanted.map(|wanted| Todo::Rows(Box::new(wanted)))
            }
            Task::Between(addr) => self.between_passes(addr, now),
            Task::Verdict(addr) => self.body_verdict(addr, now),
            Task::Phase => {
                self.advance_phase();
                None
            }
        }
    }

    pub(super) fn on_timer(&mut self, timer: Timer, now: Millis) -> Option<Todo> {
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
                if let Some(over) = self.wait_over(addr, now) {
                    return Some(Todo::LastLook(Box::new(over)));
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
            effect: None,
            again: false,
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
