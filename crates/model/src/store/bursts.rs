//! Bursts: firings that are held back for others to come, and their closing.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::burst::Gather;
use crate::clock::Millis;
use crate::flow::Flow;
use crate::id::{OrgId, RunId};
use crate::run::RunHeader;

/// Bursts that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueBursts {
    /// Those that were due first at the front.
    pub due: Vec<(OrgId, String)>,
    /// When the next one after these is due.
    pub next: Option<Millis>,
}

/// What a burst that is due closes with.
#[derive(Clone, Debug)]
pub struct Ripe {
    pub gather: Gather,
    /// The run that begins; `None` when all firings have gone.
    pub begins: Option<RunHeader>,
    /// Those that do not, in the order of their arrival.
    pub merged: Vec<RunId>,
    /// Of a batch: the triggers of all its firings, in the order of their arrival.
    pub triggers: Vec<Value>,
}

/// The end of a burst as it was read.
#[derive(Clone, Debug)]
pub struct BurstEnd {
    pub org: OrgId,
    pub key: String,
    pub begins: Option<RunId>,
    pub merged: Vec<RunId>,
    /// Of a batch: what its run is born with instead.
    pub trigger: Option<Value>,
    pub inputs: Option<Value>,
    /// The limit that the run stands under from now on.
    pub flow: Option<Flow>,
    /// The run is claimed to be ended: what it was to be born with does not fit its plan.
    pub unfit: bool,
}

#[async_trait]
pub trait BurstStore: Send + Sync {
    /// By the store's clock, at most `limit`.
    async fn due_bursts(&self, limit: u32) -> Result<DueBursts, StoreError>;

    /// By [`Gather::close`]. `None` when the burst is not due, or gone.
    async fn ripe_burst(&self, org: OrgId, key: &str) -> Result<Option<Ripe>, StoreError>;

    /// Lets the run begin, lets the others end, and keeps what found no room as the next burst: all of it in one transaction that no
    /// firing of the same key runs beside. `false`, and nothing is done, when the burst is not due or not as it was read any more.
    async fn close_burst(&self, end: &BurstEnd) -> Result<bool, StoreError>;
}
