//! Places: how many runs of one organization may be at work, over all processes.

use async_trait::async_trait;

use super::StoreError;
use crate::id::OrgId;

/// The most that an organization's own limit may say.
pub const MOST_PLACES: u32 = 100_000;

/// How many runs of an organization may be at work: its own limit, and what the operator lets every organization have. `None`: as many
/// as there are.
pub fn places_in_force(own: Option<u32>, each: Option<u32>) -> Option<u32> {
    own.into_iter().chain(each).min()
}

/// A run is at work while some process holds it. [`RunStore::claim`](super::RunStore::claim) never takes up one that has no place; such a
/// run is set aside: queued, and met by no claim until [`PlaceStore::offer_place`] says that there may be one.
#[async_trait]
pub trait PlaceStore: Send + Sync {
    /// What the operator lets every organization have.
    fn places_of_each(&self) -> Option<u32>;

    /// The organization's own limit.
    async fn own_places(&self, org: OrgId) -> Result<Option<u32>, StoreError>;

    /// Writes the organization's own limit; the one before. Whoever is at work stays.
    ///
    /// # Errors
    /// `NotFound` when the organization has no record.
    async fn set_own_places(&self, org: OrgId, places: Option<u32>) -> Result<Option<u32>, StoreError>;

    /// Organizations with a limit of their own.
    async fn with_own_places(&self) -> Result<Vec<OrgId>, StoreError>;

    /// Lets claims meet the first of the organization's runs that are set aside, of each tag, where a place is free; all of them where
    /// there is no limit any more. Asked after a run of it was at work, and after a limit changed; asking more often changes nothing.
    /// `false`: somebody decides about its runs at this moment, and may not have seen what the caller knows; ask again soon.
    async fn offer_place(&self, org: OrgId) -> Result<bool, StoreError>;

    /// Organizations with runs that are set aside, after this one, in a fixed order.
    async fn with_set_aside(&self, after: Option<OrgId>, limit: u32) -> Result<Vec<OrgId>, StoreError>;
}
