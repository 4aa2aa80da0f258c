//! What the engine and the server ask of a store, split by caller. Every implementation passes one conformance suite.
//!
//! Times are Unix milliseconds by the store's own clock ([`RunStore::now`]); lists are newest first and take opaque cursors.

mod access;
mod error;
mod live;
mod logs;
mod plans;
mod runs;
mod schedules;
mod secrets;

pub use access::{AccessStore, ApiKeyRecord, IdempotentAnswer, Remembered};
pub use error::StoreError;
pub use live::LiveStore;
pub use logs::{LogEntry, LogFilter, LogStore, Monitoring, ProviderTotals, Retention};
pub use plans::{IntegrationRecord, IntegrationStore, NewPlan, PlanRecord, PlanSource, PlanStore, PlanSummary, WebhookRoute};
pub use runs::{Claimed, Committed, JournalRow, NewRun, RunFilter, RunStore, RunWrite, Standing};
pub use schedules::{ScheduleRecord, ScheduleStore};
pub use secrets::{CredentialRecord, DataKeyRecord, NewCredential, SecretStore};

use crate::id::OrgId;

/// One page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// How much of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// 1–200.
    pub limit: u32,
    pub cursor: Option<String>,
}

/// Everything a store does.
pub trait Store:
    RunStore + PlanStore + ScheduleStore + SecretStore + AccessStore + LogStore + LiveStore + IntegrationStore + Health + Blobs
{
}

impl<T> Store for T where
    T: RunStore + PlanStore + ScheduleStore + SecretStore + AccessStore + LogStore + LiveStore + IntegrationStore + Health + Blobs
{
}

/// Names of migrations, each list in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
}

/// A pool of connections at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    pub most: u32,
    pub open: u32,
    pub idle: u32,
    /// Callers that have none yet.
    pub waiting: u32,
}

impl Pool {
    pub fn in_use(&self) -> u32 {
        self.open.saturating_sub(self.idle)
    }

    /// It ran dry and somebody waits, or nine tenths are in use: look at it before it runs dry. A pool of a few is all in use
    /// whenever a few callers come at once, so there only waiting counts; and who waits for a new connection to open does not.
    pub fn is_strained(&self) -> bool {
        let dry = self.in_use() >= self.most && self.waiting > 0;
        dry || (self.most >= 10 && self.in_use() * 10 >= self.most * 9)
    }
}

/// How the store is.
#[async_trait::async_trait]
pub trait Health: Send + Sync {
    /// A bounded write and a read; an error says what is wrong with the store right now.
    async fn probe(&self) -> Result<(), StoreError>;
    /// Which migrations the database has and lacks; `ChangedMigration` and `Newer` when it is not of this version's making.
    async fn migrations(&self) -> Result<Migrations, StoreError>;
    /// The connections that callers share, now.
    fn pool(&self) -> Pool;
    /// Waits for every accepted write, then closes. Further calls fail.
    async fn close(&self);
}

/// Large values of an organization, addressed by their content. Writing the same bytes twice is one blob.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// Durable when this returns. At most 16 MiB, else `StoreError::TooLarge`.
    async fn put_blob(&self, org: OrgId, bytes: Vec<u8>) -> Result<String, StoreError>;
    /// The bytes, checked against the address.
    async fn get_blob(&self, org: OrgId, sha256: &str) -> Result<Vec<u8>, StoreError>;
}
