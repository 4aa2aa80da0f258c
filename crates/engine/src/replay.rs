//! Replays: a new run that takes over what another one recorded, and goes on from there.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::event::{Event, EventBody};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunHeader;
use mainspring_model::store::{NewRun, StoreError};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::sync::watch;

use crate::driver::Progress;
use crate::engine::{Engine, RunHandle, Start, StartError};
use crate::journal;
use crate::plans::LoadedPlan;
use crate::run::{Again, Kept, Run, Unkept, keep};

/// As many runs are remembered of the line that a replay comes from.
const LINEAGE: usize = 100;

/// A replay to be made.
pub struct Replay {
    /// Whose run it is: whose credentials it uses.
    pub owner: Owner,
    /// The run that it is of, as it was made, and its journal with all values in place.
    pub of: Arc<RunHeader>,
    pub events: Vec<Event>,
    /// The plan that the run was of.
    pub was: LoadedPlan,
    /// The plan that the new run is of.
    pub plan: LoadedPlan,
    /// Accepted by the new plan's `inputs` already.
    pub inputs: Value,
    pub again: Again,
    /// By path of a `once` step that died in flight: what it gave, or `None` for another try.
    pub decided: BTreeMap<String, Option<Value>>,
    /// The same key gives the first run again.
    pub key: Option<String>,
}

/// The run that a replay led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub run: RunId,
    /// `false`: an earlier call with the same key made it.
    pub new: bool,
}

/// Why a replay was not made.
#[derive(Debug, Error)]
pub enum ReplayError {
    #[error("the plan's top list has no step \"{0}\"")]
    NoStep(String),
    #[error("nobody knows whether \"{0}\" did its work, because its process died; say whether it is done or is to be tried again")]
    Undecided(String),
    #[error("the run does not ask what became of \"{0}\"")]
    NotOpen(String),
    /// What was recorded does not fit the new inputs or the new version.
    #[error("what was recorded does not fit: {0}")]
    Unfit(String),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<Unkept> for ReplayError {
    fn from(unkept: Unkept) -> ReplayError {
        match unkept {
            Unkept::NoStep(id) => ReplayError::NoStep(id),
            Unkept::Undecided(path) => ReplayError::Undecided(path),
            Unkept::NotOpen(path) => ReplayError::NotOpen(path),
        }
    }
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> ReplayError {
        ReplayError::Start(error.into())
    }
}

impl Engine {
    /// Makes the new run with what it takes over in one transaction; any process goes on with it. Durable when this returns.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, ReplayError> {
        let inner = &self.0;
        let kept = keep(&replay.was.plan, &replay.events, &replay.again, &replay.decided)?;
        let trigger = traced(&replay.of, &replay.again, &kept);
        let Replay { owner, of, plan, inputs, key, .. } = replay;
        let tag = plan.plan.tag.clone();
        let checked = plan.plan.clone();
        let start = Start { trigger, key, ..Start::manual(owner, plan, inputs) };
        let (header, key) = inner.born(start).await?;
        let history = copied(kept.events, of.id, header.created_at);
        let unfit = |illegal: crate::run::Illegal| ReplayError::Unfit(illegal.reason);
        Run::new(checked.clone(), header.clone(), inner.keys.clone()).map_err(StartError::Fault)?;
        Run::replay(checked.clone(), header.clone(), inner.keys.clone(), history.clone()).map_err(unfit)?;
        let mut rows = Vec::with_capacity(history.len());
        for mut event in history {
            rows.push(journal::row_of(&*inner.store, owner.org, &mut event).await?);
        }
        let (progress, watching) = watch::channel(Progress::default());
        let new = Arc::new(NewRun {
            header: header.clone(),
            slot: None,
            key,
            flow: inner.flow_of(&checked, &header).map_err(StartError::Fault)?,
            burst: None,
            priority: checked.priority,
        });
        inner.enqueue(header.id, new, rows, tag, progress).await;
        let mut handle = RunHandle { id: header.id, leaves: checked.concurrency.is_some(), progress: watching };
        let run = handle.accepted().await?;
        Ok(Replayed { run, new: run == header.id })
    }
}

/// The root `trigger` of the run that is replayed, with where the new one comes from.
fn traced(of: &RunHeader, again: &Again, kept: &Kept) -> Value {
    let mut trigger = match &of.trigger {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    let earlier = trigger.remove("replay_of").unwrap_or_default();
    let mut runs = vec![json!(of.id)];
    runs.extend(earlier["runs"].as_array().into_iter().flatten().take(LINEAGE - 1).cloned());
    let keys = kept.unknown.iter().map(|path| {
        let first = earlier["keys"].get(path).cloned().unwrap_or_else(|| json!(of.id));
        (path.clone(), first)
    });
    let mut keys: Map<String, Value> = keys.collect();
    if *again != Again::All {
        // What this run did not come to again is as unknown as before.
        let open = earlier["keys"].as_object().into_iter().flatten().filter(|(path, _)| !kept.attempted.contains(*path));
        keys.extend(open.map(|(path, first)| (path.clone(), first.clone())));
    }
    trigger.insert("replay_of".to_owned(), json!({"run": of.id, "runs": runs, "keys": keys}));
    Value::Object(trigger)
}

/// The kept entries as the first ones of the new run: they happened before it was made.
fn copied(kept: Vec<EventBody>, of: RunId, at: i64) -> Vec<Event> {
    let numbered = kept.into_iter().zip(1..);
    let copy = numbered.map(|(mut body, seq)| {
        if let EventBody::Attempted(attempted) = &mut body {
            attempted.metadata.entry("recorded_by").or_insert_with(|| json!(of));
            // Those are in the journal with their own ends, or run again.
            attempted.beside.clear();
        }
        Event { seq, at, body }
    });
    copy.collect()
}

/// The runs that a run is a replay of, newest first: what they were given, it was given.
pub(crate) fn lineage(header: &RunHeader) -> impl Iterator<Item = RunId> + '_ {
    header.trigger["replay_of"]["runs"].as_array().into_iter().flatten().filter_map(run_id)
}

/// The run whose idempotency key the step's attempts send: an attempt that nobody heard of again is repeated under its own.
pub(crate) fn key_run(header: &RunHeader, path: &str) -> RunId {
    header.trigger["replay_of"]["keys"].get(path).and_then(run_id).unwrap_or(header.id)
}

fn run_id(value: &Value) -> Option<RunId> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use mainspring_model::id::PlanId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_outlives_a_retry_that_did_not_come_to_its_step() {
        let (first, second) = (RunId(Uuid::from_u128(1)), RunId(Uuid::from_u128(2)));
        let mut of = RunHeader {
            id: second,
            owner: Owner::LOCAL,
            plan_id: PlanId(Uuid::from_u128(3)),
            plan_version: 1,
            plan_name: String::new(),
            inputs: json!({}),
            trigger: json!({"type": "manual", "replay_of": {"run": first, "runs": [first], "keys": {"pay": first}}}),
            org: json!({}),
            created_at: 0,
            environment: String::new(),
            seed: [0; 16],
            parent: None,
        };
        let key_after = |again: &Again, kept: &Kept| {
            let header = RunHeader { trigger: traced(&of, again, kept), id: RunId(Uuid::from_u128(9)), ..of.clone() };
            assert_eq!(lineage(&header).collect::<Vec<_>>(), [second, first]);
            key_run(&header, "pay")
        };
        let attempted = || Kept { attempted: ["pay".to_owned()].into(), ..Kept::default() };
        let unheard = || Kept { unknown: vec!["pay".to_owned()], ..attempted() };
        let fresh = RunId(Uuid::from_u128(9));
        assert_eq!(key_after(&Again::Failed, &Kept::default()), first, "cancelled before it came to it");
        assert_eq!(key_after(&Again::Failed, &unheard()), first, "tried, and not heard of again");
        assert_eq!(key_after(&Again::Failed, &attempted()), fresh, "tried, and answered");
        assert_eq!(key_after(&Again::All, &Kept::default()), fresh, "who runs it all again wants it again");
        of.trigger = json!({"type": "manual"});
        assert_eq!(key_run(&of, "pay"), second);
    }
}
