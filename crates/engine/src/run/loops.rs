//! Loops: items of a `for_each`, passes of a `repeat`, and when the step that carries them ends.

use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan::{Loop, OnItemError};
use serde_json::{Map, Value};

use super::rows::{Items, RowsWanted};
use super::state::{Active, Addr, EachState, Failure, FrameIx, RepeatState, Unit, UnitEnd, UnitState};
use super::{Run, Task};

impl Run {
    /// The `for_each` saw `total` items.
    pub(super) fn open_each(&mut self, addr: Addr, total: u32, items: Items) -> bool {
        self.has_rows |= matches!(items, Items::Rows(_));
        let each = EachState {
            total,
            items,
            next: 0,
            running: 0,
            units: std::collections::HashMap::new(),
            results: vec![None; total as usize],
            ended: 0,
            failed: false,
            stopped: false,
            attempts: 0,
        };
        if !self.set_active(addr, Active::Each(each)) {
            return false;
        }
        self.agenda.push_back(Task::Feed(addr));
        if total == 0 {
            self.check_each(addr);
        }
        true
    }

    fn each(&mut self, addr: Addr) -> Option<&mut EachState> {
        match self.active_mut(addr)? {
            Active::Each(each) => Some(each),
            _ => None,
        }
    }

    pub(super) fn active_mut(&mut self, addr: Addr) -> Option<&mut Active> {
        match &mut self.frame_mut(addr.frame)?.steps[addr.place as usize] {
            super::state::StepState::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Begins an item that was not begun yet; its first event may come before we would have started it (replay).
    pub(super) fn ensure_item(&mut self, addr: Addr, index: u32) {
        let Some(each) = self.each(addr) else { return };
        if index >= each.total || each.results[index as usize].is_some() || each.units.contains_key(&index) {
            return;
        }
        each.units.insert(index, Unit::ready());
        each.running += 1;
        self.agenda.push_back(Task::Unit(addr));
    }

    /// Starts as many items as `max_parallel` leaves room for. Rows come before their items; `Some` asks for them.
    pub(super) fn feed(&mut self, addr: Addr) -> Option<RowsWanted> {
        let ix = self.step_ix(addr)?;
        let plan = self.plan.clone();
        let Loop::ForEach(spec) = &plan.step(ix).looped else { return None };
        let stopped = self.frame(addr.frame).is_none_or(|frame| frame.stopped);
        loop {
            let each = self.each(addr)?;
            while each.next < each.total && (each.results[each.next as usize].is_some() || each.units.contains_key(&each.next)) {
                each.next += 1;
            }
            if stopped || each.failed || each.stopped || each.next >= each.total || each.running >= spec.max_parallel {
                return None;
            }
            let index = each.next;
            let unit = Addr { index: Some(index), ..addr };
            if self.is_row_to_come(unit) {
                return self.ask_row(unit, Task::Feed(addr));
            }
            self.ensure_item(unit, index);
        }
    }

    pub(super) fn end_item(&mut self, addr: Addr, index: u32, end: UnitEnd) {
        let Some(ix) = self.step_ix(addr) else { return };
        let plan = self.plan.clone();
        let Loop::ForEach(spec) = &plan.step(ix).looped else { return };
        let Some(each) = self.each(addr) else { return };
        let Some(unit) = each.units.remove(&index) else { return };
        each.running -= 1;
        each.attempts += unit.attempt;
        match end {
            UnitEnd::Ok { output, .. } => {
                each.results[index as usize] = Some(Ok(output));
                each.ended += 1;
                each.items.forget(index);
            }
            UnitEnd::Failed(failure) => {
                each.results[index as usize] = Some(Err(failure));
                each.ended += 1;
                each.items.fail(index);
                each.failed |= spec.on_item_error == OnItemError::Fail;
            }
            UnitEnd::Dropped => each.stopped = true,
        }
        if each.running < spec.max_parallel {
            self.agenda.push_back(Task::Feed(Addr { index: None, ..addr }));
        }
        self.check_each(addr);
    }

    /// Ends the loop when its last item ended.
    pub(super) fn check_each(&mut self, addr: Addr) {
        let frame_stopped = self.frame(addr.frame).is_none_or(|frame| frame.stopped);
        let addr = Addr { index: None, ..addr };
        if self.is_ahead(addr) {
            return;
        }
        let Some(each) = self.each(addr) else { return };
        let done = each.ended == each.total;
        if each.running > 0 || !(done || each.failed || each.stopped || frame_stopped) {
            return;
        }
        let attempts = each.attempts;
        let items = std::mem::replace(&mut each.items, Items::List(Vec::new()));
        let results = std::mem::take(&mut each.results);
        let failed = each.failed;
        let mut errors = Vec::new();
        let mut first: Option<Failure> = None;
        let mut outputs = Vec::with_capacity(results.len());
        for (index, result) in (0..).zip(results) {
            match result {
                Some(Ok(output)) => outputs.push(output),
                Some(Err(mut failure)) => {
                    errors.push(items.error(index, failure.to_value()));
                    if first.is_none() {
                        items.tell(index, &mut failure.fault);
                        first = Some(failure);
                    }
                    outputs.push(Value::Null);
                }
                None => outputs.push(Value::Null),
            }
        }
        let end = match first {
            Some(failure) if failed => UnitEnd::Failed(failure),
            _ if !done => UnitEnd::Dropped,
            _ => UnitEnd::Ok { port: "success".into(), output: Value::Array(outputs), message: String::new(), metadata: Map::new() },
        };
        self.end_step(addr, end, attempts, Value::Array(errors));
    }

    pub(super) fn stop_each(&mut self, addr: Addr) {
        let Some(each) = self.each(addr) else { return };
        each.stopped = true;
        let mut running: Vec<(u32, Option<FrameIx>)> = each
            .units
            .iter()
            .map(|(index, unit)| (*index, if let UnitState::Body(frame) = unit.state { Some(frame) } else { None }))
            .collect();
        // A map has no order; the order in which items end must be the same in every replay.
        running.sort_unstable_by_key(|(index, _)| *index);
        for (index, body) in running {
            self.stop_unit(Addr { index: Some(index), ..addr }, body);
        }
        self.check_each(addr);
    }

    /// A `repeat` begins a pass.
    pub(super) fn begin_pass(&mut self, addr: Addr, index: u32, value: Value) -> bool {
        let (output, attempts) = match self.active_mut(addr) {
            Some(Active::Repeat(old)) => {
                let old_body = old.ended_body.take();
                let carried = (std::mem::take(&mut old.output), old.attempts);
                if let Some(body) = old_body {
                    self.frames[body as usize] = None;
                }
                carried
            }
            _ => (Value::Null, 0),
        };
        let state = RepeatState { index, value, output, unit: Unit::ready(), ended_body: None, between: false, resume_at: None, attempts };
        if !self.set_active(addr, Active::Repeat(state)) {
            return false;
        }
        self.agenda.push_back(Task::Unit(Addr { index: Some(index), ..addr }));
        true
    }

    pub(super) fn keep_body(&mut self, addr: Addr, frame: FrameIx) {
        if let Some(Active::Repeat(repeat)) = self.active_mut(addr) {
            repeat.ended_body = Some(frame);
        }
    }

    pub(super) fn end_pass(&mut self, addr: Addr, end: UnitEnd) {
        let stopped = self.frame(addr.frame).is_none_or(|frame| frame.stopped);
        let Some(Active::Repeat(repeat)) = self.active_mut(addr) else { return };
        repeat.attempts += repeat.unit.attempt;
        let attempts = repeat.attempts;
        match end {
            UnitEnd::Ok { output, .. } if !stopped => {
                repeat.output = output;
                repeat.between = true;
                self.agenda.push_back(Task::Between(Addr { index: None, ..addr }));
            }
            UnitEnd::Ok { .. } => self.end_step(addr, UnitEnd::Dropped, attempts, Value::Null),
            end => self.end_step(addr, end, attempts, Value::Null),
        }
    }

    /// `until` held.
    pub(super) fn close_repeat(&mut self, addr: Addr) -> bool {
        let Some(Active::Repeat(repeat)) = self.active_mut(addr) else { return false };
        let output = std::mem::take(&mut repeat.output);
        let (attempts, body) = (repeat.attempts, repeat.ended_body.take());
        if let Some(body) = body {
            self.frames[body as usize] = None;
        }
        let end = UnitEnd::Ok { port: "success".into(), output, message: String::new(), metadata: Map::new() };
        self.end_step(addr, end, attempts, Value::Null);
        true
    }

    pub(super) fn max_reached(&self, max: u32) -> Fault {
        Fault::new(
            Code::LIMIT_EXCEEDED,
            format!("\"repeat\" made {max} passes and \"until\" never held; raise \"max\" or change the condition"),
        )
    }
}
