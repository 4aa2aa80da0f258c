//! Journal events: the only thing from which a run's state is made. A serialised type: versioned by its snapshot test.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::Effect;
use crate::budget::Reserved;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::id::RunId;
use crate::run::Ending;
use crate::state::StateWrite;
use crate::wait::Wait;

/// One journal row: `seq` counts from 1 without gaps within a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub seq: u32,
    pub at: Millis,
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened. `path` is the step's path, `outer[3].inner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// An attempt began; written before it for `once` steps, steps with `undo`, and steps whose expressions read `now()`.
    Started(Started),
    /// An attempt ended, well or not. One per attempt: the execution log's row.
    Attempted(Box<Attempted>),
    /// The step's own `if` was false.
    Skipped { path: String },
    /// A `for_each` saw its list.
    Opened { path: String, attempt: u32, items: u32 },
    /// The step waits for a moment.
    Waiting { path: String, attempt: u32, until: Millis },
    /// The step waits for its turn under a `rate`; nothing was called.
    Held {
        path: String,
        attempt: u32,
        until: Millis,
        /// The process that held the run before died, and may have made this attempt already.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    /// The step waits for a child run.
    Called { path: String, attempt: u32, child: RunId },
    /// The step waits for something that happens outside: see [`Wait`].
    Awaited { path: String, attempt: u32, wait: Wait },
    /// A body failed and begins again, or a step without an action failed for good before any attempt.
    BodyFailed { path: String, attempt: u32, error: Fault, retry_at: Option<Millis> },
    /// A body outlived its `timeout`; its attempts in flight are aborted.
    BodyTimedOut { path: String, attempt: u32 },
    /// A `repeat` begins a pass; `value` is what `loop.value` is in it.
    Pass { path: String, index: u32, value: Value },
    /// A `repeat` saw its `until` hold: the step ends with the last pass's output.
    Closed { path: String },
    /// Somebody asked the run to end.
    CancelRequested { by: String },
    /// The plan's `timeout` or `deadline` passed.
    TimedOut { limit: TimeLimit },
    /// The one terminal event.
    Finished(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeLimit {
    Timeout,
    Deadline,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub path: String,
    pub attempt: u32,
    /// What `now()` gives in this step from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Millis>,
    /// A `once` step's marker: a crash before its end stops the run in `needs_decision`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub once: bool,
    /// What was taken out of the plan's budget for the call to a model that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
    /// The marker of a step with an `undo`: what a crash leaves of it may have to be taken back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub undo: bool,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    Success,
    Error,
    /// Failed, and will be repeated at `retry_at`.
    Retrying,
    Cancelled,
}

impl AttemptStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptStatus::Success => "success",
            AttemptStatus::Error => "error",
            AttemptStatus::Retrying => "retrying",
            AttemptStatus::Cancelled => "cancelled",
        }
    }
}

/// One finished attempt of one step (or item, or pass).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempted {
    pub path: String,
    pub attempt: u32,
    pub status: AttemptStatus,
    pub provider: String,
    pub action: String,
    /// Zero-based index in the top list of the step or of the one that encloses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_number: Option<u32>,
    pub latency_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// Set instead of `output` when the value is over [`INLINE_LIMIT`]. A field of its own, so that no output can pose as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobRef>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
    /// What the attempt was declared to do outside; absent where it only looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The process that held the run before died, and may have made this attempt already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// Paths of attempts in flight when this one ended the list around them: they finish, so a crash must repeat them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// `logic.respond`, `logic.stop` and the changes of provider `state` leave a mark for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

/// What an engine action asked of the run beside its output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The output is `{status, headers, body}` for the waiting webhook caller.
    Respond,
    /// End the run in success with this step's output.
    Stop,
    /// End the run in success with the output by the usual rule.
    StopPlain,
    /// Change what is remembered between runs, when this one succeeds.
    State(Box<StateWrite>),
}

/// The address of a blob's bytes: the JSON text of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// Lower-case hex SHA-256 of the bytes.
    pub sha256: String,
    pub size: u64,
    /// The first 500 characters, for previews.
    pub preview: String,
}

/// Values whose JSON is larger than this, in bytes, spill to blobs.
pub const INLINE_LIMIT: usize = 256 * 1024;

fn is_false(value: &bool) -> bool {
    !*value
}

impl EventBody {
    /// Of the step, item or pass that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            EventBody::Started(started) => Some(&started.path),
            EventBody::Attempted(attempted) => Some(&attempted.path),
            EventBody::Skipped { path }
            | EventBody::Opened { path, .. }
            | EventBody::Waiting { path, .. }
            | EventBody::Held { path, .. }
            | EventBody::Called { path, .. }
            | EventBody::Awaited { path, .. }
            | EventBody::BodyFailed { path, .. }
            | EventBody::BodyTimedOut { path, .. }
            | EventBody::Pass { path, .. }
            | EventBody::Closed { path } => Some(path),
            EventBody::CancelRequested { .. } | EventBody::TimedOut { .. } | EventBody::Finished(_) => None,
        }
    }

    /// The `kind` tag under which the body is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            EventBody::Started(_) => "started",
            EventBody::Attempted(_) => "attempted",
            EventBody::Skipped { .. } => "skipped",
            EventBody::Opened { .. } => "opened",
            EventBody::Waiting { .. } => "waiting",
            EventBody::Held { .. } => "held",
            EventBody::Called { .. } => "called",
            EventBody::Awaited { .. } => "awaited",
            EventBody::BodyFailed { .. } => "body_failed",
            EventBody::BodyTimedOut { .. } => "body_timed_out",
            EventBody::Pass { .. } => "pass",
            EventBody::Closed { .. } => "closed",
            EventBody::CancelRequested { .. } => "cancel_requested",
            EventBody::TimedOut { .. } => "timed_out",
            EventBody::Finished(_) => "finished",
        }
    }
}
