//! Sealed values wherever they lie, and the keys that seal them: what a rotation of keys lists and changes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::{DataKeyRecord, StoreError};
use crate::id::{OrgId, UserId};

/// A table with sealed values. One that is not listed here is left behind by a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedTable {
    Credentials,
    Variables,
    NotificationRules,
    Outbox,
    /// Of the installation: its rows are found by their users' ids.
    SecondFactors,
}

impl SealedTable {
    pub const ALL: [SealedTable; 5] =
        [SealedTable::Credentials, SealedTable::Variables, SealedTable::NotificationRules, SealedTable::Outbox, SealedTable::SecondFactors];

    /// As the database and the place of a sealed value name it.
    pub const fn name(self) -> &'static str {
        match self {
            SealedTable::Credentials => "credentials",
            SealedTable::Variables => "variables",
            SealedTable::NotificationRules => "notification_rules",
            SealedTable::Outbox => "outbox",
            SealedTable::SecondFactors => "second_factors",
        }
    }

    /// As the place names the one value of a row; `None` where a row has many, each under its own name.
    pub const fn field(self) -> Option<&'static str> {
        match self {
            SealedTable::Credentials => None,
            SealedTable::Variables => Some("value"),
            SealedTable::NotificationRules => Some("secrets"),
            SealedTable::Outbox => Some("content"),
            SealedTable::SecondFactors => Some("secret"),
        }
    }
}

/// A row with sealed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    pub table: SealedTable,
    pub org: OrgId,
    /// Whose the values are, as far as they were sealed for somebody.
    pub user: Option<UserId>,
    pub id: Uuid,
    /// Field name → sealed bytes.
    pub fields: BTreeMap<String, Vec<u8>>,
}

impl SealedRow {
    /// Of a table whose rows have one value.
    pub fn one(table: SealedTable, org: OrgId, user: Option<UserId>, id: Uuid, sealed: Vec<u8>) -> SealedRow {
        SealedRow { table, org, user, id, fields: table.field().map(|field| (field.to_owned(), sealed)).into_iter().collect() }
    }

    /// The one value of a row of such a table.
    pub fn bytes(&self) -> Vec<u8> {
        self.fields.values().next().cloned().unwrap_or_default()
    }
}

#[async_trait]
pub trait SealedStore: Send + Sync {
    /// Rows of one organization in the order of their ids, those behind `after`, at most `limit`.
    async fn sealed_rows(&self, table: SealedTable, org: OrgId, after: Option<Uuid>, limit: u32) -> Result<Vec<SealedRow>, StoreError>;

    /// Replaces the values of a row that still holds exactly those which were seen. `false`: it holds others by now, or is gone.
    async fn replace_sealed(&self, seen: &SealedRow, fields: &BTreeMap<String, Vec<u8>>) -> Result<bool, StoreError>;

    /// One organization's data keys, by version.
    async fn data_keys_of(&self, org: OrgId) -> Result<Vec<DataKeyRecord>, StoreError>;

    /// The same key wrapped anew, where the row is still the one that was seen. `false`: it is not.
    async fn replace_data_key(&self, seen: &DataKeyRecord, wrapped: &DataKeyRecord) -> Result<bool, StoreError>;

    /// Another canary, where it is still the one that was seen. `false`: it is not.
    async fn replace_canary(&self, seen: &[u8], canary: &[u8]) -> Result<bool, StoreError>;
}
