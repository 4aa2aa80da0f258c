//! What a step waits for: a signal of a topic, which a caller, a person or another plan gives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Millis;
use crate::id::RunId;

/// Who gives the signal, and so what the step ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// Any event of a type; `where` chooses among them.
    Event,
    /// Whoever knows the address.
    Callback,
    /// A person who says yes or no.
    Approval,
    /// Other triggers of the plan: `detail` is `{all: [ids]}`, and each has to come.
    Triggers,
}

/// A wait as it is journalled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    pub kind: WaitKind,
    /// `event:<type>`, `callback:<id>`, `approval:<id>`, `triggers:<run>`.
    pub topic: String,
    /// Signals from this moment on count; from the start of the run when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// The step then ends in port `timeout`. Without it the step waits for as long as the run may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// What people who decide are shown: `{message, to, form}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl Wait {
    /// The ids of the triggers that have to come, each once.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        let all = self.detail["all"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter().enumerate().filter(|(at, id)| !all[..*at].contains(id)).filter_map(|(_, id)| id.as_str())
    }

    pub fn wants(&self, trigger: &str) -> bool {
        self.wanted().any(|id| id == trigger)
    }
}

/// The port of a wait that nobody ended in time.
pub const TIMEOUT_PORT: &str = "timeout";

/// The longest name of a type of event, in bytes.
pub const LONGEST_TYPE: usize = 200;

/// Whether a type of event may have this name.
///
/// # Errors
/// What a name must be, for people.
pub fn check_event_type(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.len() > LONGEST_TYPE || name.chars().any(char::is_control) {
        return Err(format!("a type of event is a name such as invoice.paid, of at most {LONGEST_TYPE} bytes"));
    }
    Ok(())
}

/// The topic of events of a type.
pub fn event_topic(event_type: &str) -> String {
    format!("event:{event_type}")
}

/// The topic of ends of runs, for triggers that listen to them. No type of event is one: theirs begin with `event:`.
pub const ENDS: &str = "end";

/// The topic of the answer to an opened address.
pub fn callback_topic(id: &str) -> String {
    format!("callback:{id}")
}

/// The topic of triggers that are delivered to a run.
pub fn triggers_topic(run: RunId) -> String {
    format!("triggers:{run}")
}

/// The topic of a decision.
pub fn approval_topic(id: &str) -> String {
    format!("approval:{id}")
}
