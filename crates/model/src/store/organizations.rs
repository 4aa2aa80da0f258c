//! Changes of organizations that must be whole: roles, members who go, and the end of an organization.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{OrgId, UserId};
use crate::role::Role;

/// What went or changed hands with a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Departed {
    pub api_keys: u64,
    pub credentials: u64,
    pub shares: u64,
    /// Plans, with their schedules, that are the heir's now.
    pub plans: u64,
    pub integrations: u64,
}

/// How the removal of an organization's rows goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// That many rows went; ask again.
    Removed(u64),
    /// Only runs that some process holds are left, and what they need; ask again when they had time to end.
    Held(u64),
    /// Nothing of it is left.
    Gone,
}

#[async_trait]
pub trait OrganizationStore: Send + Sync {
    /// Gives a member another role; the one that it was.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the organization would have no owner left.
    async fn change_role(&self, org: OrgId, user: UserId, role: Role) -> Result<Role, StoreError>;

    /// Removes a member. API keys, personal credentials, notifications and rules for them of theirs go; plans, schedules and integrations become the heir's.
    /// All in one transaction. [`PlanStore::plans_revision`](super::PlanStore::plans_revision) moves.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the organization would have no owner left.
    async fn remove_member(&self, org: OrgId, user: UserId, heir: UserId) -> Result<Departed, StoreError>;

    /// Says from when on an organization is to be removed, or that it is not (`None`). Until then its schedules and webhooks rest.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_erasure(&self, org: OrgId, at: Option<Millis>) -> Result<(), StoreError>;

    /// From when on it is to be removed.
    async fn erasure_of(&self, org: OrgId) -> Result<Option<Millis>, StoreError>;

    /// Organizations whose removal is due.
    async fn erasures_due(&self) -> Result<Vec<OrgId>, StoreError>;

    /// Removes some rows of an organization whose removal is due: the data keys before anything else, its own record last.
    /// Every table that has an organization is one of them, also those of later versions.
    async fn erase(&self, org: OrgId, batch: u32) -> Result<Erasure, StoreError>;
}
