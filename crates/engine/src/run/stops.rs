//! Stopping a list: no new step starts, attempts in flight finish, waits and retries are dropped.

use serde_json::Value;

use super::state::{Active, Addr, Ended, FrameIx, StepState, Unit, UnitEnd, UnitState};
use super::{Illegal, Run, Task};

impl Run {
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

    pub(super) fn stop_step(&mut self, addr: Addr) {
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

    pub(super) fn end_unit_dropped(&mut self, addr: Addr) {
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
        // An undo stands below the path of what it takes back, and is no part of it.
        let is_below = |ahead: &str, rest: &str| rest.starts_with(['.', '[']) && !self.is_undo(ahead);
        self.replay_ahead.keys().any(|ahead| ahead.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || is_below(ahead, rest)))
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
}

fn body_of(unit: &Unit) -> Option<FrameIx> {
    match unit.state {
        UnitState::Body(frame) => Some(frame),
        _ => None,
    }
}
