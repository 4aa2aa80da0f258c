//! An organization's variables: plain values, and secrets that are sealed here and opened at use.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{OrgId, UserId, VariableId};

/// What a variable holds.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableValue {
    Plain(Value),
    /// Sealed bytes.
    Secret(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct VariableRecord {
    pub org: OrgId,
    /// Unique in its organization; an identifier.
    pub name: String,
    /// What a secret is sealed for; a variable that is made anew gets another.
    pub id: VariableId,
    /// Who wrote it last.
    pub user: UserId,
    pub value: VariableValue,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[async_trait]
pub trait VariableStore: Send + Sync {
    /// Writes it; one of that name keeps its moment of making and takes the rest. The moments come from the store.
    /// [`PlanStore::plans_revision`](super::PlanStore::plans_revision) moves.
    async fn put_variable(&self, variable: &VariableRecord) -> Result<VariableRecord, StoreError>;

    /// By name.
    async fn list_variables(&self, org: OrgId) -> Result<Vec<VariableRecord>, StoreError>;

    /// `false` when there was none.
    async fn delete_variable(&self, org: OrgId, name: &str) -> Result<bool, StoreError>;
}
