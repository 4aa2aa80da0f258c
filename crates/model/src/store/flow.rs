//! Runs that are held back: by the limit of their plan, or because somebody paused them.

use async_trait::async_trait;

use super::StoreError;
use crate::id::{OrgId, RunId};
use crate::rate::{Turn, TurnAsk};

/// What an admission did that live runs of this process should hear of at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Runs whose cancellation was asked for.
    pub cancelled: Vec<RunId>,
    /// Runs that were told of a trigger.
    pub told: Vec<RunId>,
    /// There are more to decide about: ask again.
    pub more: bool,
}

/// Runs decided about in one go.
pub const ADMITTED_AT_ONCE: u32 = 500;

#[async_trait]
pub trait FlowStore: Send + Sync {
    /// Decides by [`rule`](crate::flow::rule), in one transaction that no other of the same key runs beside, which runs of a key
    /// begin, and writes what it decided. Asked after a run of the key was made and after one ended; asking more often changes nothing.
    async fn admit(&self, org: OrgId, key: &str) -> Result<Admitted, StoreError>;

    /// Keys with runs that are held back, after this one, in a fixed order: for whoever looks whether an admission was missed.
    async fn held_keys(&self, after: Option<&(OrgId, String)>, limit: u32) -> Result<Vec<(OrgId, String)>, StoreError>;

    /// Makes a run lie down: at once where it waits, and where it is held as soon as its holder has no step under way. `false` when it
    /// has ended or is being cancelled.
    async fn request_pause(&self, org: OrgId, run: RunId) -> Result<bool, StoreError>;

    /// Lets a paused run go on. `false` when it is not paused, nor about to be.
    async fn resume(&self, org: OrgId, run: RunId) -> Result<bool, StoreError>;

    /// Held runs of this process that are to lie down.
    async fn pause_requests(&self) -> Result<Vec<RunId>, StoreError>;

    /// Lets a call begin, or gives it a place in the line of its key and says when to ask again: by [`turn`](crate::rate::turn), by the
    /// store's clock, in one transaction that no other of the same key runs beside. A call that was let begin is counted before this
    /// returns; whoever asks again, for it too, asks for another one.
    async fn take_turn(&self, ask: &TurnAsk) -> Result<Turn, StoreError>;

    /// Gives up the places of a run that has ended.
    async fn forget_turns(&self, org: OrgId, run: RunId) -> Result<(), StoreError>;

    /// Removes calls that are not counted any more, and places of runs that have ended or are gone: at most `batch` of each. How many went.
    async fn prune_turns(&self, batch: u32) -> Result<u64, StoreError>;
}
