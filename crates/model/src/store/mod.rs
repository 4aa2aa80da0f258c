//! What the engine and the server ask of a store, split by caller. Every implementation passes one conformance suite.
//!
//! Times are Unix milliseconds by the store's own clock ([`RunStore::now`]); lists are newest first and take opaque cursors.

mod access;
mod audit;
mod bursts;
mod choice;
pub mod copy;
mod egress;
mod error;
mod factors;
mod files;
mod flags;
mod flow;
mod invitations;
mod live;
mod logs;
mod notifications;
mod organizations;
mod outbox;
mod people;
mod places;
mod plans;
mod runs;
mod schedules;
mod sealed;
mod secrets;
mod sessions;
mod shares;
mod signals;
mod state;
mod variables;

pub use access::{AccessStore, ApiKeyRecord, IdempotentAnswer, Remembered};
pub use audit::{Actor, AuditFilter, AuditOutcome, AuditRecord, AuditStore};
pub use bursts::{BurstEnd, BurstStore, DueBursts, Ripe};
pub use choice::{Access, Choice, DEFAULT_NAME, choose};
pub use egress::{EgressRuleRecord, EgressStore};
pub use error::StoreError;
pub use factors::{FactorStore, OutsideIdentity, SecondFactor};
pub use files::{FileBytes, FileEnd, FileRecord, FileStore, FileTotals};
pub use flags::{FlagRecord, FlagStore};
pub use flow::{ADMITTED_AT_ONCE, Admitted, FlowStore};
pub use invitations::{InvitationRecord, InvitationState, InvitationStore};
pub use live::LiveStore;
pub use logs::{LogEntry, LogFilter, LogStore, Monitoring, ProviderTotals, Prunable, Retention};
pub use notifications::{EndedBadly, Expiring, NotificationRecord, NotificationRuleRecord, NotificationStore};
pub use organizations::{Departed, Erasure, OrganizationStore};
pub use outbox::{Channel, Delivery, Message, NewMessage, OutboxStore, Put, SendState, Sending, Throttle};
pub use people::{MemberRecord, OrganizationRecord, PeopleStore, UserRecord, email_key};
pub use places::{MOST_PLACES, PlaceStore, places_in_force};
pub use plans::{
    IntegrationRecord, IntegrationStore, NewPlan, PlanRecord, PlanSource, PlanStore, PlanSummary, SaveAs, Saving, VERSIONS_KEPT,
    VersionRecord, WebhookRoute,
};
pub use runs::{Claimed, Committed, JournalRow, NewRun, RunFilter, RunStore, RunWrite, Standing};
pub use schedules::{FailingTrigger, LISTENS, LOOKS, ScheduleRecord, ScheduleStore, TriggerStanding, TriggerState, listening_to};
pub use sealed::{SealedRow, SealedStore, SealedTable};
pub use secrets::{CredentialChange, CredentialRecord, DataKeyRecord, NewCredential, SecretStore};
pub use sessions::{OneTime, RefreshToken, Refreshed, SessionRecord, SessionStore};
pub use shares::{ShareStore, Sharing};
pub use signals::{EventFilter, NewSignal, SIGNAL_KEPT, SignalRecord, SignalStore, Told, WaitKey, WaitRecord};
pub use state::{MAX_CACHED, StateBatch, StateDone, StateRecord, StateSet, StateSpace, StateStore};
pub use variables::{VariableRecord, VariableStore, VariableValue};

use std::time::Duration;

use crate::clock::Millis;
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
    RunStore
    + FlowStore
    + BurstStore
    + PlaceStore
    + PlanStore
    + ScheduleStore
    + SecretStore
    + SealedStore
    + SignalStore
    + StateStore
    + AccessStore
    + PeopleStore
    + SessionStore
    + FactorStore
    + LogStore
    + LiveStore
    + IntegrationStore
    + OutboxStore
    + FlagStore
    + NotificationStore
    + OrganizationStore
    + InvitationStore
    + VariableStore
    + ShareStore
    + AuditStore
    + EgressStore
    + FileStore
    + Health
    + Blobs
{
}

impl<T> Store for T where
    T: RunStore
        + FlowStore
        + BurstStore
        + PlaceStore
        + PlanStore
        + ScheduleStore
        + SecretStore
        + SealedStore
        + SignalStore
        + StateStore
        + AccessStore
        + PeopleStore
        + OrganizationStore
        + InvitationStore
        + VariableStore
        + ShareStore
        + AuditStore
        + SessionStore
        + FactorStore
        + LogStore
        + LiveStore
        + IntegrationStore
        + OutboxStore
        + FlagStore
        + NotificationStore
        + EgressStore
        + FileStore
        + Health
        + Blobs
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
    /// As monitoring and readiness call it.
    pub name: &'static str,
    /// Callers take turns at it; otherwise each connection has one task of its own, which may well use it all the time.
    pub shared: bool,
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

    /// Nine tenths are in use: look at it before callers wait. Who waits for a new connection to open strains nothing.
    pub fn is_strained(&self) -> bool {
        self.shared && self.in_use() * 10 >= self.most * 9
    }
}

/// Whether callers are let through to the store's server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circuit {
    #[default]
    Closed,
    /// It could not be reached several times in a row: callers are refused at once.
    Open,
    /// One caller may find out whether it can be reached again.
    HalfOpen,
}

impl Circuit {
    pub const ALL: [Circuit; 3] = [Circuit::Closed, Circuit::Open, Circuit::HalfOpen];

    pub fn as_str(self) -> &'static str {
        match self {
            Circuit::Closed => "closed",
            Circuit::Open => "open",
            Circuit::HalfOpen => "half_open",
        }
    }
}

/// Whether the store's server can be reached, by what the last attempts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub circuit: Circuit,
    /// How long every attempt has failed; `None` when the last one did not.
    pub lost_for: Option<Duration>,
}

/// Runs that wait to be claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Counted up to a hundred thousand.
    pub queued: u64,
    /// Since when the one waits that has waited longest.
    pub oldest: Option<Millis>,
}

/// How the store is.
#[async_trait::async_trait]
pub trait Health: Send + Sync {
    /// A bounded write and a read; an error says what is wrong with the store right now.
    async fn probe(&self) -> Result<(), StoreError>;
    /// Which migrations the database has and lacks; `ChangedMigration` and `Newer` when it is not of this version's making.
    async fn migrations(&self) -> Result<Migrations, StoreError>;
    /// Asks nobody, and waits for nothing. A store without a server is always within reach.
    fn reach(&self) -> Reach;
    /// What waits to be claimed, over all organizations and nodes.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
    /// The connections by who uses them, now.
    fn pools(&self) -> Vec<Pool>;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_pool_is_strained_at_nine_tenths() {
        let pool = |shared, most, open, idle| Pool { name: "api", shared, most, open, idle, waiting: 0 };
        assert!(pool(true, 10, 9, 0).is_strained() && pool(true, 4, 4, 0).is_strained());
        assert!(!pool(true, 10, 9, 1).is_strained() && !pool(true, 4, 3, 0).is_strained() && !pool(true, 4, 4, 1).is_strained());
        assert!(!pool(false, 3, 3, 0).is_strained(), "each has a task of its own, which may use it all the time");
    }
}
