//! Units of work: finding them by path, entering their bodies, and where they stand.

use mainspring_model::clock::Millis;
use mainspring_model::plan::{ListRole, Loop, StepIx, StepKind};
use serde_json::{Value, json};

use super::state::{Active, Addr, Failure, Frame, FrameIx, FrameOwner, StepState, Unit, UnitState};
use super::{Illegal, Run, path};

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
        if let Some(addr) = self.locate_undo(text) {
            return Ok(addr);
        }
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

    pub(super) fn handler_of(&self, addr: Addr) -> Option<FrameIx> {
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

    pub(super) fn failure(&self, addr: Addr, fault: mainspring_model::fault::Fault, attempts: u32) -> Failure {
        Failure { fault, step: self.unit_path(addr), item: self.item_of(addr), attempts }
    }

    /// When a body's attempt began, for its `timeout`.
    pub(super) fn body_began(&mut self, addr: Addr, at: Millis) {
        self.body_began.insert(self.unit_path(addr), at);
    }

    pub(super) fn item_of(&self, addr: Addr) -> Value {
        match (self.active(addr), addr.index) {
            (Some(Active::Each(each)), Some(index)) => each.items.get(index).cloned().unwrap_or(Value::Null),
            (Some(Active::Repeat(repeat)), Some(_)) => json!({"index": repeat.index, "value": repeat.value}),
            _ => Value::Null,
        }
    }
}
