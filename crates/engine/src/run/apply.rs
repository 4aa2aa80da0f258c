//! `Run::apply`: every legal transition, one arm per event.

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Attempted, Event, EventBody, Mark};
use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan::{Loop, StepKind};
use serde_json::Value;

use super::state::{Active, Addr, Ended, FrameOwner, UnitEnd, UnitState};
use super::{Illegal, Run, Timer, retry, timer_addr};

impl Run {
    /// Moves the state on by one event. The only way that a run's state changes, live and in replay.
    ///
    /// # Errors
    /// [`Illegal`] when the event does not fit; the state is then not to be used any more.
    pub fn apply(&mut self, event: Event) -> Result<(), Illegal> {
        self.applying = (event.seq, event.body.kind());
        if event.seq != self.seq + 1 {
            return Err(self.illegal(format!("event {} follows event {}", event.seq, self.seq)));
        }
        if self.finished {
            return Err(self.illegal("the run has ended"));
        }
        let at = event.at;
        self.seq = event.seq;
        self.last_at = at;
        match event.body {
            EventBody::Started(started) => {
                let started_attempt = started.attempt;
                let path = started.path.clone();
                let addr = self.locate(&path)?;
                if let Some(now) = started.now {
                    self.nows.insert(started.path.clone(), now);
                }
                if started.once {
                    self.once_open.insert(started.path, started.attempt);
                }
                if let Some(reserved) = started.reserved {
                    self.reserve(&path, reserved);
                }
                if started.undo {
                    self.mark_effect(addr, started_attempt, at);
                }
                self.note_body_start(addr, started_attempt, at);
            }
            EventBody::Attempted(attempted) => self.attempted(*attempted, at)?,
            EventBody::Skipped { path } => {
                let addr = self.locate(&path)?;
                self.close_step(addr, Ended::skipped());
            }
            EventBody::Opened { path, items, .. } => {
                let addr = self.locate(&path)?;
                let list = self.take_items(addr, items)?;
                if !self.open_each(addr, items, list) {
                    return Err(self.illegal(format!("\"{path}\" is not ready to loop")));
                }
            }
            EventBody::Pass { path, index, value } => {
                let addr = self.locate(&path)?;
                if !self.begin_pass(addr, index, value) {
                    return Err(self.illegal(format!("\"{path}\" is not ready for a pass")));
                }
            }
            EventBody::Closed { path } => {
                let addr = self.locate(&path)?;
                if !self.close_repeat(addr) {
                    return Err(self.illegal(format!("\"{path}\" does not repeat")));
                }
            }
            EventBody::Waiting { path, until, .. } => self.wait(&path, UnitState::Sleeping(until), Some(until))?,
            EventBody::Held { path, attempt, until, again } => {
                self.has_held = true;
                self.once_open.remove(&path);
                self.flying_once.remove(&path);
                self.return_reserved(&path);
                if !again {
                    // Nothing was called: no marker stands for it. What a process that died may have called stays marked.
                    self.unmark_effect(&path);
                }
                self.wait(&path, UnitState::RetryAt(until), Some(until))?;
                if let Ok(addr) = self.locate(&path)
                    && let Some(unit) = self.unit(addr)
                {
                    unit.attempt = attempt;
                    unit.again = again;
                }
            }
            EventBody::Called { path, child, .. } => self.wait(&path, UnitState::Calling(child), None)?,
            EventBody::Awaited { path, wait, .. } => {
                let until = wait.until;
                self.has_awaited = true;
                self.wait(&path, UnitState::Awaiting(Box::new(wait)), until)?;
            }
            EventBody::BodyFailed { path, attempt, error, retry_at } => self.body_failed(&path, attempt, error, retry_at)?,
            EventBody::BodyTimedOut { path, .. } => self.body_timed_out(&path)?,
            EventBody::CancelRequested { .. } => {
                // What it ends depends on the phase, whose turn has no event of its own: in a replay it may not have come yet.
                self.advance_phase();
                self.cancel();
            }
            EventBody::TimedOut { limit } => self.time_out(limit),
            EventBody::Finished(_) => self.finished = true,
        }
        Ok(())
    }

    /// One of the ends that a replay still had before it.
    fn replayed(&mut self, path: &str) {
        if let Some(ahead) = self.replay_ahead.get_mut(path) {
            *ahead -= 1;
            if *ahead == 0 {
                self.replay_ahead.remove(path);
            }
        }
    }

    fn wait(&mut self, path: &str, state: UnitState, until: Option<Millis>) -> Result<(), Illegal> {
        self.replayed(path);
        let addr = self.locate(path)?;
        let stopped = self.frame(addr.frame).is_none_or(|frame| frame.stopped);
        let Some(unit) = self.unit(addr) else { return Err(self.illegal(format!("\"{path}\" is not under way"))) };
        let was_flying = matches!(unit.state, UnitState::InFlight);
        unit.state = state;
        if was_flying {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if stopped {
            self.end_unit(addr, UnitEnd::Dropped);
        } else if let Some(until) = until {
            self.timer(until, Timer::Unit(timer_addr(addr)));
        }
        Ok(())
    }

    fn attempted(&mut self, attempted: Attempted, at: Millis) -> Result<(), Illegal> {
        self.replayed(&attempted.path);
        self.count_work(at, attempted.latency_us);
        self.settle(&attempted);
        let found = self.locate(&attempted.path);
        let addr = match found {
            Ok(addr) => addr,
            // The list was given up while this attempt was in flight; its end is recorded and changes nothing.
            Err(_) if attempted.status == AttemptStatus::Cancelled => return Ok(()),
            Err(illegal) => return Err(illegal),
        };
        if attempted.status == AttemptStatus::Success && self.is_whole(addr) {
            self.close_pinned(addr, attempted);
            return Ok(());
        }
        self.remember_effect(addr, &attempted, at);
        self.owe(&attempted.beside)?;
        self.once_open.remove(&attempted.path);
        self.flying_once.remove(&attempted.path);
        let Some(unit) = self.unit(addr) else {
            return match attempted.status {
                AttemptStatus::Cancelled => Ok(()),
                _ => Err(self.illegal(format!("\"{}\" is not under way", attempted.path))),
            };
        };
        let was_flying = matches!(unit.state, UnitState::InFlight);
        unit.attempt = attempted.attempt;
        // In a replay nothing says that the attempt was in flight before this, its end.
        unit.state = UnitState::InFlight;
        match attempted.status {
            AttemptStatus::Retrying => {
                let retry_at = attempted.retry_at.unwrap_or(at);
                unit.state = UnitState::RetryAt(retry_at);
                unit.attempt += 1;
                unit.again = false;
                unit.held_back = retry::held_back_after(unit.held_back, attempted.error.as_ref());
                self.timer(retry_at, Timer::Unit(timer_addr(addr)));
            }
            AttemptStatus::Success => {
                let (mark, output) = (attempted.mark, attempted.output);
                let stop = match mark {
                    Some(Mark::Stop) => Some(Some(output.clone())),
                    Some(Mark::StopPlain) => Some(None),
                    Some(Mark::Respond) => {
                        self.responded.get_or_insert_with(|| output.clone());
                        None
                    }
                    Some(Mark::State(write)) => {
                        self.memory.note(&attempted.path, *write);
                        None
                    }
                    None => None,
                };
                self.fly_end(was_flying);
                let port = attempted.port.unwrap_or_else(|| "success".to_owned());
                let end = UnitEnd::Ok { port, output, message: attempted.message, metadata: attempted.metadata };
                self.end_unit(addr, end);
                if let Some(output) = stop {
                    self.stop(output);
                }
                return Ok(());
            }
            AttemptStatus::Error => {
                let fault = attempted.error.unwrap_or_else(|| Fault::internal("the attempt failed without a reason"));
                let failure = self.failure(addr, fault, attempted.attempt);
                self.fly_end(was_flying);
                self.end_unit(addr, UnitEnd::Failed(failure));
                return Ok(());
            }
            AttemptStatus::Cancelled => {
                self.fly_end(was_flying);
                self.end_unit(addr, UnitEnd::Dropped);
                return Ok(());
            }
        }
        self.fly_end(was_flying);
        Ok(())
    }

    fn fly_end(&mut self, was_flying: bool) {
        if was_flying {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    fn body_failed(&mut self, path: &str, attempt: u32, error: Fault, retry_at: Option<Millis>) -> Result<(), Illegal> {
        let addr = self.locate(path)?;
        let inner = match self.active_mut(addr).and_then(|active| active.unit_mut(addr.index)) {
            Some(unit) => match &unit.state {
                UnitState::BodyFailed(failure) => Some(failure.clone()),
                _ => None,
            },
            None => None,
        };
        if let Some(retry_at) = retry_at {
            self.memory.take_back_below(path);
            let Some(unit) = self.unit(addr) else { return Err(self.illegal(format!("\"{path}\" is not under way"))) };
            unit.state = UnitState::RetryAt(retry_at);
            unit.attempt = attempt + 1;
            self.timer(retry_at, Timer::Unit(timer_addr(addr)));
            return Ok(());
        }
        let failure = inner.unwrap_or_else(|| self.failure(addr, error, attempt));
        match self.active(addr) {
            // The step failed before any unit of it began: its `if`, its list or its `until`.
            None | Some(Active::Each(_) | Active::Repeat(_)) if addr.index.is_none() => {
                self.end_step(addr, UnitEnd::Failed(failure), attempt, Value::Null);
            }
            _ => {
                if self.unit(addr).is_none() {
                    return Err(self.illegal(format!("\"{path}\" is not under way")));
                }
                self.end_unit(addr, UnitEnd::Failed(failure));
            }
        }
        Ok(())
    }

    /// A body outlived its `timeout`: what is in flight is aborted, then the body has failed.
    fn body_timed_out(&mut self, path: &str) -> Result<(), Illegal> {
        let addr = self.locate(path)?;
        let Some(frame) = self.enter_body(addr) else { return Err(self.illegal(format!("\"{path}\" has no body under way"))) };
        let fault = Fault::new(Code::TIMEOUT, format!("\"{path}\" did not end within its timeout"));
        let attempt = self.unit(addr).map_or(1, |unit| unit.attempt);
        let failure = self.failure(addr, fault, attempt);
        self.abort_below(frame);
        if let Some(frame) = self.frame_mut(frame) {
            frame.failure = Some(failure);
        }
        self.stop_frame(frame);
        self.check_over(frame);
        Ok(())
    }

    fn abort_below(&mut self, root: u32) {
        for ix in 0..u32::try_from(self.frames.len()).expect("fewer than 2^32 frames") {
            if self.is_below(ix, root) {
                self.abort_frame(ix);
            }
        }
    }

    fn is_below(&self, mut ix: u32, root: u32) -> bool {
        loop {
            if ix == root {
                return true;
            }
            match self.frame(ix).map(|frame| frame.owner) {
                Some(FrameOwner::Body(addr) | FrameOwner::Handler(addr)) => ix = addr.frame,
                _ => return false,
            }
        }
    }

    fn note_body_start(&mut self, addr: Addr, attempt: u32, at: Millis) {
        let Some(ix) = self.step_ix(addr) else { return };
        let plan = self.plan.clone();
        let step = plan.step(ix);
        // A loop's own start, without an index, is not an attempt of a body.
        let is_attempt = matches!(step.looped, Loop::None) || addr.index.is_some();
        if let (StepKind::Body(_), Some(timeout), true) = (&step.kind, step.timeout, is_attempt) {
            self.body_began(addr, at);
            self.timer(at.saturating_add(super::millis(timeout)), Timer::BodyTimeout(timer_addr(addr), attempt));
        }
    }

    /// Time spent working: the union of the attempts' spans, so that neither waits nor a crash's downtime count.
    fn count_work(&mut self, at: Millis, latency_us: u64) {
        let span = Millis::try_from(latency_us / 1_000).unwrap_or(Millis::MAX / 4);
        let began = at.saturating_sub(span).max(self.worked.1);
        self.worked.0 += u64::try_from(at.saturating_sub(began)).unwrap_or(0);
        self.worked.1 = self.worked.1.max(at);
    }
}
