//! Signals: what happens outside of a run and may end a wait in it, and which runs wait for what.

use async_trait::async_trait;
use serde_json::Value;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::id::{OrgId, RunId, SignalId};

/// Something that happened. Kept by its id once, however often it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSignal {
    pub org: OrgId,
    pub id: SignalId,
    /// `event:<type>`, `callback:<id>`, `approval:<id>`.
    pub topic: String,
    pub data: Value,
    /// Only the first of its topic counts: an answer, of which there is one.
    pub sole: bool,
}

/// A signal as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalRecord {
    pub id: SignalId,
    pub topic: String,
    pub data: Value,
    pub received_at: Millis,
}

/// Which events a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub event_type: Option<String>,
    /// What stands as `tool` in the data.
    pub tool: Option<String>,
    /// Part of the type, or of `file_path` or `operation` in the data, in any case of letters.
    pub search: Option<String>,
}

/// What became of a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// As it is kept: another one where the id was known, or where a sole topic had its signal.
    pub signal: SignalRecord,
    /// It was not known before.
    pub new: bool,
    /// Triggers listen to its topic, and are due.
    pub heard: bool,
    /// Runs that were waiting for it. Those that wait as a row are due now.
    pub woken: Vec<RunId>,
}

/// What the data of a signal must hold for a wait to be worth a look: `where` says more, but this much it says for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitKey {
    /// The place in the signal's data: an RFC 6901 pointer.
    pub pointer: String,
    /// Compact JSON of the value that must stand there.
    pub value: String,
}

impl WaitKey {
    /// Longer values make no key: the wait is then woken by every signal of its topic.
    pub const MAX: usize = 200;

    /// The text by which a value is compared: 1 and 1.0 are one value.
    pub fn text_of(value: &Value) -> Option<String> {
        let text = match value {
            Value::Number(number) => match number.as_f64() {
                Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => format!("{float:.0}"),
                _ => number.to_string(),
            },
            Value::Array(_) | Value::Object(_) => return None,
            other => other.to_string(),
        };
        (text.len() <= WaitKey::MAX).then_some(text)
    }
}

/// A step that waits for signals of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitRecord {
    pub org: OrgId,
    pub run: RunId,
    /// The step's path.
    pub path: String,
    pub topic: String,
    pub key: Option<WaitKey>,
    /// What people are shown: `{}` but for approvals.
    pub detail: Value,
    pub created_at: Millis,
}

/// How long a signal is kept, in milliseconds; longer while its run has yet to see it.
pub const SIGNAL_KEPT: Millis = 30 * 86_400_000;

#[async_trait]
pub trait SignalStore: Send + Sync {
    /// Notes that a step waits, in place of what was noted for its path. Durable when this returns: a signal that comes later
    /// finds it, and one that came before is found by whoever looks after this.
    async fn put_wait(&self, wait: &WaitRecord) -> Result<(), StoreError>;

    /// Forgets the wait of a step, or all of the run; nothing when there is none.
    async fn delete_waits(&self, org: OrgId, run: RunId, path: Option<&str>) -> Result<(), StoreError>;

    /// Waits whose topic begins so, newest first, at most `limit`: of runs that have not ended, and without those that have their
    /// one answer already.
    async fn list_waits(&self, org: OrgId, topics: &str, limit: u32) -> Result<Vec<WaitRecord>, StoreError>;

    /// The wait for this very topic, while its run goes on.
    async fn wait_for(&self, org: OrgId, topic: &str) -> Result<Option<WaitRecord>, StoreError>;

    /// Keeps a signal, wakes the runs that wait for it and makes the triggers due that listen to it: all of it, or nothing. For those who
    /// listen a signal that is kept later has no earlier `received_at`.
    async fn put_signal(&self, signal: &NewSignal) -> Result<Told, StoreError>;

    /// Signals of a topic that came at `since` or later, oldest first, at most `limit`; `after` is the last one seen.
    async fn signals(
        &self,
        org: OrgId,
        topic: &str,
        since: Millis,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Vec<SignalRecord>, StoreError>;

    /// How many there are of a topic that came at `since` or later, counted up to `most`.
    async fn count_signals(&self, org: OrgId, topic: &str, since: Millis, most: u32) -> Result<u32, StoreError>;

    /// The signal of this id, whatever its topic.
    async fn signal(&self, org: OrgId, id: SignalId) -> Result<Option<SignalRecord>, StoreError>;

    /// Events of the organization, newest first.
    async fn list_events(&self, org: OrgId, filter: &EventFilter, paging: &Paging) -> Result<Page<SignalRecord>, StoreError>;

    /// Removes signals from before this moment, and waits of runs that have ended, at most `batch` of each. Returns how many of
    /// both; 0 when there are no more.
    async fn prune_signals(&self, before: Millis, batch: u32) -> Result<u64, StoreError>;
}
