//! Who reaches a plan: the whole organization, or its owner and the members it is shared with.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::StoreError;
use crate::id::{OrgId, PlanId, UserId};

/// With whom one plan is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Who made it, or who took it over.
    pub owner: Option<UserId>,
    /// Not the whole organization's.
    pub private: bool,
    /// Members, and whether they may change it. Kept while the plan is the whole organization's.
    pub with: BTreeMap<UserId, bool>,
}

impl Sharing {
    /// Whether somebody without the right to all plans reaches it.
    pub fn is_for(&self, user: UserId) -> bool {
        !self.private || self.owner == Some(user) || self.with.contains_key(&user)
    }
}

#[async_trait]
pub trait ShareStore: Send + Sync {
    /// `None` when the organization has no such plan.
    async fn sharing(&self, org: OrgId, plan: PlanId) -> Result<Option<Sharing>, StoreError>;

    /// Replaces visibility and shares; [`PlanStore::plans_revision`](super::PlanStore::plans_revision) moves.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_sharing(&self, org: OrgId, plan: PlanId, private: bool, with: &BTreeMap<UserId, bool>) -> Result<(), StoreError>;

    /// The organization's private plans, each with its owner and shares. Removed plans that runs still name are none.
    async fn private_plans(&self, org: OrgId) -> Result<BTreeMap<PlanId, Sharing>, StoreError>;
}
