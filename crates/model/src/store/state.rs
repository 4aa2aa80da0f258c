//! State as a store keeps it: values and sets of a plan or an organization, and results that steps may use again.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{OrgId, PlanId, RunId};
use crate::state::{Digest, StateWrite};

/// Where a key or a set belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateSpace {
    pub org: OrgId,
    /// `None`: the organization's own, which all of its plans share.
    pub plan: Option<PlanId>,
}

/// A value as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRecord {
    pub key: String,
    pub value: Value,
    pub updated_at: Millis,
    pub expires_at: Option<Millis>,
}

/// A set of seen items, of which only digests are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSet {
    pub name: String,
    pub items: u64,
}

/// What a run that succeeded leaves behind, applied in the transaction of its end.
#[derive(Clone, Debug, PartialEq)]
pub struct StateBatch {
    pub org: OrgId,
    pub plan: PlanId,
    pub writes: Arc<Vec<StateWrite>>,
}

/// What became of a change that is written at once.
#[derive(Clone, Debug, PartialEq)]
pub enum StateDone {
    /// `{"value": …}` after `Add`; `{"existed": …}` after `Delete`; `{"new": [places]}` after `Remember`; `null` after `Set`.
    Applied(Value),
    /// There is no room for another key or item.
    Full { most: u64 },
}

/// What is past its moment is not there, whether or not it was swept.
#[async_trait]
pub trait StateStore: Send + Sync {
    async fn state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError>;

    /// Values whose key begins so and comes after `after`, by key; at most `limit` (1–200).
    async fn list_state(&self, space: StateSpace, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<StateRecord>, StoreError>;

    /// The sets of a space, by name, at most 1,000.
    async fn list_state_sets(&self, space: StateSpace) -> Result<Vec<StateSet>, StoreError>;

    /// How many keys the space has, counted up to `most`.
    async fn count_state(&self, space: StateSpace, most: u64) -> Result<u64, StoreError>;

    /// How many items a set has seen, counted up to `most`.
    async fn count_seen(&self, space: StateSpace, set: &str, most: u64) -> Result<u64, StoreError>;

    /// Of each digest until when it is remembered: `None` when it is not, `Millis::MAX` when for ever.
    async fn seen(&self, space: StateSpace, set: &str, digests: &[Digest]) -> Result<Vec<Option<Millis>>, StoreError>;

    /// Applies a change now, and once for each `id` however often it is asked for: what came of the first time is given again.
    async fn apply_state(&self, space: StateSpace, run: RunId, id: Uuid, write: &StateWrite) -> Result<StateDone, StoreError>;

    /// Writes a value by hand; what stood there before.
    async fn put_state(&self, space: StateSpace, record: &StateRecord) -> Result<Option<StateRecord>, StoreError>;

    /// Removes a value; what stood there.
    async fn delete_state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError>;

    /// Forgets a set; how many items it had.
    async fn delete_state_set(&self, space: StateSpace, set: &str) -> Result<u64, StoreError>;

    /// A result that a step left for others.
    async fn cached(&self, org: OrgId, id: &[u8; 32]) -> Result<Option<Value>, StoreError>;

    /// Leaves a result for others, until then. Nothing when the organization has too many already.
    async fn put_cached(&self, org: OrgId, id: &[u8; 32], result: &Value, expires_at: Millis) -> Result<(), StoreError>;

    /// Removes what has expired, what belongs to deleted plans, and marks of runs that have ended: at most `batch` of each. How many went.
    async fn prune_state(&self, batch: u32) -> Result<u64, StoreError>;
}

/// Results that an organization may have in the cache.
pub const MAX_CACHED: u64 = 10_000;
