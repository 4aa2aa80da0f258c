//! A run's write as it waits in the queue: already serialised, by the caller's task and not by the writer.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use mainspring_model::burst::Burst;
use mainspring_model::clock::Millis;
use mainspring_model::flow::{Flow, Priority};
use mainspring_model::id::{OrgId, PlanId, RunId, UserId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::state::StateWrite;
use mainspring_model::store::{NewRun, RunWrite, Standing, StateBatch, StoreError};
use mainspring_model::value::from_json;
use serde::Deserialize;
use serde_json::Value;

use super::json::text_of;

/// A [`RunWrite`], ready to be bound.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) run: RunId,
    pub(crate) epoch: i64,
    pub(crate) birth: Option<Box<Birth>>,
    pub(crate) rows: Vec<DraftRow>,
    /// Addresses of the blobs that the events refer to.
    pub(crate) blobs: Vec<String>,
    pub(crate) stand: Stand,
    /// What it leaves behind for other runs.
    pub(crate) state: Option<StateBatch>,
    /// A step was finished: crashes before it count no more.
    pub(crate) calms: bool,
    /// About how many bytes the rows take.
    pub(crate) size: usize,
}

/// A journal row but for the numbers that only the writer knows.
#[derive(Debug)]
pub(crate) struct DraftRow {
    pub(crate) seq: u32,
    pub(crate) at: Millis,
    /// Provider and status of an attempt.
    pub(crate) attempt: Option<(Arc<str>, Arc<str>)>,
    pub(crate) body: Arc<str>,
}

/// The columns of a new run's row.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) org: OrgId,
    pub(crate) user: UserId,
    pub(crate) plan: PlanId,
    pub(crate) plan_version: u32,
    pub(crate) plan_name: Arc<str>,
    pub(crate) environment: Arc<str>,
    pub(crate) created_at: Millis,
    pub(crate) seed: [u8; 16],
    pub(crate) parent: Option<(RunId, String)>,
    pub(crate) slot: Option<(Slot, Option<Millis>)>,
    pub(crate) key: Option<String>,
    pub(crate) inputs: Arc<str>,
    pub(crate) trigger: Arc<str>,
    /// The trigger's `type`; empty when it has none.
    pub(crate) trigger_kind: String,
    pub(crate) org_data: Arc<str>,
    pub(crate) flow: Option<Flow>,
    pub(crate) burst: Option<Burst>,
    pub(crate) priority: Priority,
}

/// A [`Standing`] as columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stand {
    pub(crate) status: RunStatus,
    /// Only of a wait.
    pub(crate) until: Option<Millis>,
    pub(crate) ending: Option<Arc<str>>,
    /// Of a queued run, where it is not the default one.
    pub(crate) tag: Option<Arc<str>>,
}

/// A run that its process goes on holding; the standing of a new one whose first batch leaves it as it is.
pub(crate) const HELD: Stand = Stand { status: RunStatus::Running, until: None, ending: None, tag: None };

impl Draft {
    /// # Errors
    /// A body that is not an event's JSON, a gap among the write's own `seq`, an ending that is none.
    pub(crate) fn of(write: RunWrite) -> Result<Draft, StoreError> {
        let mut size = 0;
        let mut rows = Vec::with_capacity(write.events.len());
        let mut blobs = Vec::new();
        for event in write.events.iter() {
            size += event.body.len() + 64;
            let mut attempt = None;
            if matches!(event.kind, "attempted" | "finished") {
                let seen = Seen::of(&event.body).ok_or_else(|| failed(write.run, "an event's body is not its JSON"))?;
                note(&mut blobs, seen.blob.map(|blob| blob.sha256));
                attempt = if event.kind == "attempted" { seen.provider.map(Arc::from).zip(seen.status.map(|s| shared(&s))) } else { None };
            }
            rows.push(DraftRow { seq: event.seq, at: event.at, attempt, body: Arc::from(event.body.as_str()) });
        }
        let calms = write.events.iter().any(|event| event.progress);
        if rows.windows(2).any(|pair| pair[0].seq.checked_add(1) != Some(pair[1].seq)) {
            return Err(failed(write.run, "the events of one write do not follow one another"));
        }
        let mut state = None;
        let stand = match write.standing {
            Standing::Queued => Stand { status: RunStatus::Queued, ..HELD },
            Standing::QueuedFor(tag) => Stand { status: RunStatus::Queued, tag: Some(tag.into()), ..HELD },
            Standing::Running => HELD,
            Standing::Waiting(until) => Stand { status: RunStatus::Waiting, until, ..HELD },
            Standing::Paused => Stand { status: RunStatus::Paused, ..HELD },
            Standing::Ended(ending) if ending.status.is_terminal() => {
                note(&mut blobs, ending.blob.as_ref().map(|blob| blob.sha256.as_str().into()));
                Stand { status: ending.status, ending: Some(text_of(&ending)?.into()), ..HELD }
            }
            Standing::EndedWith(ending, batch) if ending.status == RunStatus::Success => {
                note(&mut blobs, ending.blob.as_ref().map(|blob| blob.sha256.as_str().into()));
                size += batch.writes.iter().map(StateWrite::size).sum::<usize>();
                state = Some(batch);
                Stand { status: ending.status, ending: Some(text_of(&ending)?.into()), ..HELD }
            }
            Standing::EndedWith(..) => return Err(failed(write.run, "only a run that succeeds leaves state behind")),
            Standing::Ended(_) => return Err(failed(write.run, "its ending has a status that is not terminal")),
        };
        let birth = match write.create {
            None => None,
            Some(new) if new.header.id == write.run => Some(Box::new(Birth::of(&new)?)),
            Some(_) => return Err(failed(write.run, "the header of a new run has another id")),
        };
        size += birth.as_ref().map_or(0, |birth| birth.inputs.len() + birth.trigger.len() + birth.org_data.len() + 256);
        size += stand.ending.as_ref().map_or(0, |ending| ending.len());
        Ok(Draft { run: write.run, epoch: write.epoch, birth, rows, blobs, stand, state, calms, size })
    }
}

impl Birth {
    fn of(new: &NewRun) -> Result<Birth, StoreError> {
        let header = &*new.header;
        Ok(Birth {
            org: header.owner.org,
            user: header.owner.user,
            plan: header.plan_id,
            plan_version: header.plan_version,
            plan_name: header.plan_name.as_str().into(),
            environment: header.environment.as_str().into(),
            created_at: header.created_at,
            seed: header.seed,
            parent: header.parent.clone(),
            slot: new.slot,
            key: new.key.clone(),
            inputs: text_of(&header.inputs)?.into(),
            trigger: text_of(&header.trigger)?.into(),
            trigger_kind: header.trigger["type"].as_str().unwrap_or_default().to_owned(),
            org_data: text_of(&header.org)?.into(),
            flow: new.flow.clone(),
            burst: new.burst.clone(),
            priority: new.priority,
        })
    }
}

/// What the store reads of an event's body; the rest is skipped without being kept.
#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(borrow, default)]
    provider: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    blob: Option<SeenBlob<'a>>,
}

#[derive(Deserialize)]
struct SeenBlob<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

impl<'a> Seen<'a> {
    fn of(body: &'a str) -> Option<Seen<'a>> {
        if let Ok(seen) = serde_json::from_str(body) {
            return Some(seen);
        }
        // Deeper than serde_json goes by itself, or no JSON at all.
        let value: Value = from_json(body).ok()?;
        let text = |value: &Value| value.as_str().map(|text| Cow::Owned(text.to_owned()));
        let blob = value.get("blob").and_then(|blob| text(&blob["sha256"])).map(|sha256| SeenBlob { sha256 });
        Some(Seen { provider: text(&value["provider"]), status: text(&value["status"]), blob })
    }
}

fn note(blobs: &mut Vec<String>, sha256: Option<Cow<'_, str>>) {
    if let Some(sha256) = sha256
        && !blobs.iter().any(|blob| *blob == sha256)
    {
        blobs.push(sha256.into_owned());
    }
}

fn failed(run: RunId, what: &str) -> StoreError {
    StoreError::Failed(format!("the write for run {run} is refused: {what}"))
}

/// The text, shared when it is the usual one: there is one for every attempt.
fn shared(status: &str) -> Arc<str> {
    static SUCCESS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("success"));
    if status == &**SUCCESS { Arc::clone(&SUCCESS) } else { Arc::from(status) }
}
