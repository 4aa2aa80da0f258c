//! Runs and their journal: what the engine needs.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Page, Paging, StateBatch, StoreError};
use crate::burst::Burst;
use crate::clock::Millis;
use crate::event::Event;
use crate::flow::{Flow, Priority, Refusal};
use crate::id::{OrgId, PlanId, RunId};
use crate::run::{Ending, RunHeader, RunStatus, RunSummary, Slot};

/// A run to be made. Accepted when the write that carries it is committed.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub header: Arc<RunHeader>,
    /// Fills a schedule's slot: a second run for the slot is not made, and the schedule's `last_due`, `next_due` move on.
    pub slot: Option<(Slot, Option<Millis>)>,
    /// Unique within the organization: the same key gives the first run again.
    pub key: Option<String>,
    /// Its plan limits live runs: a run that is born [`Standing::Queued`] is held back until [`FlowStore::admit`](super::FlowStore::admit)
    /// lets it begin.
    pub flow: Option<Flow>,
    /// Its trigger waits for others to come: a run that is born [`Standing::Queued`] is held back until
    /// [`BurstStore::close_burst`](super::BurstStore::close_burst) closes the burst. It has no `flow` before.
    pub burst: Option<Burst>,
    pub priority: Priority,
}

/// How a run stands after a write: the few columns of its row that change.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Waits to be claimed, now.
    Queued,
    /// Waits to be claimed by a process that serves this tag. A store that only one process uses takes it as `Queued`.
    QueuedFor(String),
    /// Held by this process.
    Running,
    /// Goes on by itself at this moment, or when signalled (`None`).
    Waiting(Option<Millis>),
    /// Goes on when it is resumed. Queued instead, where it was resumed or cancelled meanwhile.
    Paused,
    /// Terminal. Wakes the parent when there is one.
    Ended(Ending),
    /// As `Ended`, of a run that succeeded and leaves this behind: applied in the same transaction, or not at all.
    EndedWith(Ending, StateBatch),
}

/// An event as it is stored: the JSON text of its [`EventBody`](crate::event::EventBody) (with the `kind` tag) beside the columns that are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalRow {
    pub seq: u32,
    pub at: Millis,
    /// The body's `kind` tag.
    pub kind: &'static str,
    /// Compact JSON of the body.
    pub body: String,
    /// This row is a finished attempt (`success` or `error`): a run that got this far has its crash counts reset.
    pub progress: bool,
}

/// One run's part in a group commit. All of it happens, or none.
#[derive(Clone, Debug)]
pub struct RunWrite {
    pub run: RunId,
    /// From [`Claimed::epoch`]; for a write that creates the run, the epoch it is born with ([`RunStore::epoch`]).
    pub epoch: i64,
    pub create: Option<Arc<NewRun>>,
    /// Consecutive `seq`, after those already stored. Written out by the run's own task, so that the one writer does not.
    pub events: Arc<Vec<JournalRow>>,
    pub standing: Standing,
}

/// What became of a [`RunWrite`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// On disk.
    Done,
    /// The run is no longer ours, or has ended: nothing was written. A value, not an error.
    Late,
    /// `create` met its key or slot: this run exists already and nothing was written.
    Exists(RunId),
}

/// A run that this process now holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub header: RunHeader,
    pub epoch: i64,
    pub cancel_requested: bool,
    /// It is to lie down as soon as it can.
    pub pause_requested: bool,
    /// It was held back, and will not begin: whoever claimed it writes its end.
    pub refused: Option<Refusal>,
    /// Crashes of the whole process while a step of this run was in flight, since its last finished step.
    pub crashes: u32,
    /// How many of them while the run was driven alone.
    pub crashes_alone: u32,
    /// It was held before, so its journal may have rows. A run that was only queued has none, and nobody needs to look.
    pub begun: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFilter {
    pub plan: Option<PlanId>,
    pub status: Option<RunStatus>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
}

#[async_trait]
pub trait RunStore: Send + Sync {
    /// The store's clock.
    async fn now(&self) -> Result<Millis, StoreError>;

    /// The epoch with which this process creates runs that it drives at once.
    fn epoch(&self) -> i64;

    /// Whether this process may begin, for a run that it holds under `epoch`, what others than the store see: by its own monotonic
    /// clock nobody can have taken the run. Asked before each effect, so it must cost next to nothing.
    fn trusts(&self, epoch: i64) -> bool;

    /// Resolves when `epoch` is trusted: `true`; or when it is over and its runs are somebody else's: `false`.
    async fn trusted(&self, epoch: i64) -> bool;

    /// Durable when this returns `Done`; many callers share one commit. An error leaves open whether the write happened, but not
    /// whether it still will: what has not happened by then never does.
    async fn commit(&self, write: RunWrite) -> Result<Committed, StoreError>;

    /// Takes up to `max` runs that are queued, or waiting and due, oldest due first. After an error nothing stays taken: a store
    /// whose commit went unanswered gives what it took back to the queue, for the caller does not know which runs those are.
    async fn claim(&self, max: u32) -> Result<Vec<Claimed>, StoreError>;

    /// When the earliest waiting run is due.
    async fn next_wake(&self) -> Result<Option<Millis>, StoreError>;

    /// Resolves when this process may have work to claim: a queued run was committed or a wait was cut short. May resolve for nothing.
    async fn work_arrived(&self);

    /// Gives runs of a process that died back to the queue; `in_flight` had a step running, `alone` was driven alone. Returns how many.
    async fn recover(&self, in_flight: &[RunId], alone: Option<RunId>) -> Result<u64, StoreError>;

    /// Gives a held run back without a change, as on shutdown.
    async fn release(&self, run: RunId, epoch: i64) -> Result<(), StoreError>;

    /// Makes a waiting run due now; nothing for any other.
    async fn wake(&self, run: RunId) -> Result<(), StoreError>;

    /// Notes that somebody wants the run to end and wakes it. `false` when it had ended.
    async fn request_cancel(&self, org: OrgId, run: RunId, by: &str) -> Result<bool, StoreError>;

    /// Held runs of this process whose cancellation was asked for, with who asked.
    async fn cancel_requests(&self) -> Result<Vec<(RunId, String)>, StoreError>;

    /// What the run was born with, whoever owns it.
    async fn header(&self, run: RunId) -> Result<Option<RunHeader>, StoreError>;

    /// The whole journal of a run, in order of `seq`.
    async fn history(&self, run: RunId) -> Result<Vec<Event>, StoreError>;

    /// The ending of a run, once it has one; for a parent that waits. `None` while it goes on.
    async fn ending(&self, run: RunId) -> Result<Option<Ending>, StoreError>;

    async fn get_run(&self, org: OrgId, run: RunId) -> Result<Option<RunSummary>, StoreError>;

    async fn list_runs(&self, org: OrgId, filter: &RunFilter, paging: &Paging) -> Result<Page<RunSummary>, StoreError>;
}
