//! What live updates read: the state of runs and the newest of a journal, small, and never a run's values.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::event::Event;
use crate::id::{OrgId, RunId};
use crate::run::RunSummary;

/// Outputs are left out of what this gives, however large they are in the store.
#[async_trait]
pub trait LiveStore: Send + Sync {
    /// Those of the runs that are the organization's, in no particular order. `output` is always `None`.
    async fn runs_by_id(&self, org: OrgId, ids: &[RunId]) -> Result<Vec<RunSummary>, StoreError>;

    /// Runs that were made or have ended at `since` or later, at most `limit` of each, earliest first. `output` is always `None`.
    async fn runs_changed(&self, org: OrgId, since: Millis, limit: u32) -> Result<Vec<RunSummary>, StoreError>;

    /// The next rows of a run's journal beyond `after`, at most `limit`, in order of `seq`: without outputs, metadata and blobs.
    /// Empty also for a run of another organization.
    async fn journal_after(&self, org: OrgId, run: RunId, after: u32, limit: u32) -> Result<Vec<Event>, StoreError>;
}
