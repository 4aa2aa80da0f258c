//! What an organization's plans may reach, when it says so itself.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{OrgId, UserId};

/// One entry of an organization's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRuleRecord {
    pub org: OrgId,
    /// A name, `*.domain`, an address or a range, with or without a port, as it is shown; unique in the organization.
    pub host: String,
    /// Why; may be empty.
    pub note: String,
    /// Who put it there.
    pub user: UserId,
    pub created_at: Millis,
}

#[async_trait]
pub trait EgressStore: Send + Sync {
    /// Adds an entry, or gives the one that is there another note.
    async fn put_egress_rule(&self, record: &EgressRuleRecord) -> Result<(), StoreError>;
    /// By host.
    async fn list_egress_rules(&self, org: OrgId) -> Result<Vec<EgressRuleRecord>, StoreError>;
    async fn all_egress_rules(&self) -> Result<Vec<EgressRuleRecord>, StoreError>;
    /// `false` when there was none.
    async fn delete_egress_rule(&self, org: OrgId, host: &str) -> Result<bool, StoreError>;
}
