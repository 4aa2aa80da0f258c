//! Steps that wait for a signal: which they are, which signal fits, and what the step ends with.

use mainspring_model::action::Effect;
use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::expr::holds;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::store::SignalRecord;
use mainspring_model::wait::{TIMEOUT_PORT, Wait, WaitKind};
use serde_json::{Map, Value, json};

use super::state::{Active, Addr, StepState, Unit, UnitState};
use super::{Run, rfc3339};

/// A step that waits for a signal.
#[derive(Clone, Debug)]
pub struct Awaiting {
    pub addr: Addr,
    pub attempt: u32,
    pub path: String,
    pub wait: Wait,
}

impl Run {
    /// Steps that wait for a signal, in a fixed order.
    pub fn awaiting(&self) -> Vec<Awaiting> {
        let mut found = Vec::new();
        self.each_unit(|addr, unit| {
            if let UnitState::Awaiting(wait) = &unit.state {
                found.push((addr, unit.attempt, (**wait).clone()));
            }
        });
        found.sort_unstable_by_key(|(addr, ..)| (addr.frame, addr.place, addr.index));
        found.into_iter().map(|(addr, attempt, wait)| Awaiting { addr, attempt, path: self.unit_path(addr), wait }).collect()
    }

    /// The wait of a unit whose time is up.
    pub(super) fn wait_over(&self, addr: Addr, now: Millis) -> Option<Awaiting> {
        let unit = self.active(addr)?.unit(addr.index)?;
        let UnitState::Awaiting(wait) = &unit.state else { return None };
        wait.until.filter(|until| *until <= now)?;
        Some(Awaiting { addr, attempt: unit.attempt, path: self.unit_path(addr), wait: (**wait).clone() })
    }

    /// The event with which the first fitting signal ends the wait; `None` when none of them fits.
    ///
    /// A signal that lacks what `where` reads does not fit; any other failure of `where` is the step's.
    pub fn first_fitting(&self, awaiting: &Awaiting, signals: &[SignalRecord]) -> Option<EventBody> {
        let per_item = self.per_item_of(awaiting.addr);
        let in_time = signals.iter().filter(|signal| awaiting.wait.until.is_none_or(|until| signal.received_at <= until));
        for signal in in_time {
            if awaiting.wait.kind != WaitKind::Event || !per_item.has("where") {
                return self.answered(awaiting, signal);
            }
            match per_item.eval("where", &[("event", &shown(signal))]).and_then(|value| holds(&value)) {
                Ok(false) => {}
                Ok(true) => return self.answered(awaiting, signal),
                Err(fault) if fault.code == Code::UNRESOLVED_REFERENCE => {}
                Err(mut fault) => {
                    fault.message = format!("\"where\" failed on event {}: {}", signal.id, fault.message);
                    return self.wait_failed(awaiting, fault);
                }
            }
        }
        None
    }

    /// The event that ends a wait for triggers once each of them has come; the run's own counts. The first of each id is kept.
    pub fn all_came(&self, awaiting: &Awaiting, signals: &[SignalRecord]) -> Option<EventBody> {
        let mut came = Map::new();
        let own = (&self.header.trigger, self.header.created_at);
        let in_time = signals.iter().filter(|signal| awaiting.wait.until.is_none_or(|until| signal.received_at <= until));
        let mut last = own.1;
        for (trigger, at) in std::iter::once(own).chain(in_time.map(|signal| (&signal.data, signal.received_at))) {
            let Some(id) = trigger["id"].as_str().filter(|id| awaiting.wait.wants(id) && !came.contains_key(*id)) else { continue };
            came.insert(id.to_owned(), trigger.clone());
            last = last.max(at);
        }
        if came.len() < awaiting.wait.wanted().count() {
            return None;
        }
        let mut attempted = self.attempted_base(awaiting.addr, awaiting.attempt)?;
        attempted.message = format!("{} triggers came", came.len());
        attempted.output = Value::Object(came);
        attempted.metadata.insert("received_at".to_owned(), json!(rfc3339(last)));
        Some(EventBody::Attempted(Box::new(attempted)))
    }

    /// The event of a wait that nobody ended in time.
    pub fn timed_out(&self, awaiting: &Awaiting) -> Option<EventBody> {
        let mut attempted = self.attempted_base(awaiting.addr, awaiting.attempt)?;
        attempted.port = Some(TIMEOUT_PORT.to_owned());
        attempted.message = "nothing came in time".to_owned();
        Some(EventBody::Attempted(Box::new(attempted)))
    }

    fn answered(&self, awaiting: &Awaiting, signal: &SignalRecord) -> Option<EventBody> {
        let mut attempted = self.attempted_base(awaiting.addr, awaiting.attempt)?;
        match awaiting.wait.kind {
            WaitKind::Event => {
                attempted.output = shown(signal);
                attempted.message = format!("event {}", signal.id);
            }
            WaitKind::Callback | WaitKind::Triggers => {
                attempted.output = signal.data.clone();
                attempted.message = "the callback was answered".to_owned();
            }
            WaitKind::Approval => {
                let approved = signal.data["approved"] == Value::Bool(true);
                attempted.port = Some(if approved { "approved" } else { "rejected" }.to_owned());
                attempted.output = signal.data.clone();
                let by = signal.data["by"].as_str().unwrap_or("somebody");
                attempted.message = format!("{} by {by}", if approved { "approved" } else { "rejected" });
            }
        }
        attempted.metadata.insert("received_at".to_owned(), json!(rfc3339(signal.received_at)));
        Some(EventBody::Attempted(Box::new(attempted)))
    }

    fn wait_failed(&self, awaiting: &Awaiting, fault: Fault) -> Option<EventBody> {
        let attempted = self.attempted_base(awaiting.addr, awaiting.attempt)?;
        Some(self.failed(awaiting.addr, attempted, fault, Effect::Read, self.last_at))
    }

    /// Looks at each unit that is under way, in no fixed order.
    pub(super) fn each_unit(&self, mut look: impl FnMut(Addr, &Unit)) {
        for (ix, frame) in self.frames.iter().enumerate() {
            let Some(frame) = frame else { continue };
            for (place, step) in frame.steps.iter().enumerate() {
                let StepState::Active(active) = step else { continue };
                let addr = |index| Addr {
                    frame: u32::try_from(ix).expect("fewer than 2^32 frames"),
                    place: u32::try_from(place).expect("at most 1,000 steps"),
                    index,
                };
                match &**active {
                    Active::Single(unit) => look(addr(None), unit),
                    Active::Each(each) => each.units.iter().for_each(|(index, unit)| look(addr(Some(*index)), unit)),
                    Active::Repeat(repeat) => look(addr(Some(repeat.index)), &repeat.unit),
                    Active::Handling { .. } => {}
                }
            }
        }
    }
}

/// An event as `where` and the step's output show it.
fn shown(signal: &SignalRecord) -> Value {
    let event_type = signal.topic.split_once(':').map_or(signal.topic.as_str(), |(_, name)| name);
    json!({"id": signal.id, "type": event_type, "data": signal.data, "received_at": rfc3339(signal.received_at)})
}
