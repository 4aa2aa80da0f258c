//! Feature flags as stored: one list for the whole installation.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::flag::Flag;
use crate::id::UserId;

#[derive(Clone, Debug, PartialEq)]
pub struct FlagRecord {
    pub name: String,
    pub flag: Flag,
    pub updated_at: Millis,
    pub updated_by: UserId,
}

#[async_trait]
pub trait FlagStore: Send + Sync {
    /// By name.
    async fn flags(&self) -> Result<Vec<FlagRecord>, StoreError>;

    /// Moves with every change of a flag.
    async fn flags_revision(&self) -> Result<i64, StoreError>;

    /// Makes or replaces the flag of that name.
    async fn put_flag(&self, record: &FlagRecord) -> Result<(), StoreError>;

    /// `false` when there was none.
    async fn delete_flag(&self, name: &str) -> Result<bool, StoreError>;
}
