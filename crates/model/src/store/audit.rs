//! The audit log: who did what, when and from where. It only grows; retention and the end of an organization remove rows.

use async_trait::async_trait;
use serde_json::Value;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::id::{ApiKeyId, AuditId, OrgId, RunId, UserId};
use uuid::Uuid;

/// How whoever acted came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The local owner of dev mode, or a command on the data folder.
    Dev,
    Key(ApiKeyId),
    /// A session by its id.
    Session(Uuid),
    /// A run, for its owner.
    Run(RunId),
    /// The program itself: retention, a schedule.
    Server,
    /// Who was not recognised.
    Nobody,
}

impl Actor {
    pub const KINDS: [&str; 6] = ["dev", "key", "session", "run", "server", "nobody"];

    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Dev => "dev",
            Actor::Key(_) => "key",
            Actor::Session(_) => "session",
            Actor::Run(_) => "run",
            Actor::Server => "server",
            Actor::Nobody => "nobody",
        }
    }

    pub fn id(&self) -> Option<Uuid> {
        match self {
            Actor::Key(id) => Some(id.0),
            Actor::Session(id) => Some(*id),
            Actor::Run(id) => Some(id.0),
            Actor::Dev | Actor::Server | Actor::Nobody => None,
        }
    }

    /// As the two columns hold it; `None` when they hold nothing that was written by us.
    pub fn read(kind: &str, id: Option<Uuid>) -> Option<Actor> {
        Some(match (kind, id) {
            ("dev", None) => Actor::Dev,
            ("key", Some(id)) => Actor::Key(ApiKeyId(id)),
            ("session", Some(id)) => Actor::Session(id),
            ("run", Some(id)) => Actor::Run(RunId(id)),
            ("server", None) => Actor::Server,
            ("nobody", None) => Actor::Nobody,
            _ => return None,
        })
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    Done,
    /// Asked for, and not allowed.
    Refused,
    /// Begun; what came of it is not known yet, or never will be because the process died.
    Unknown,
}

impl AuditOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            AuditOutcome::Done => "done",
            AuditOutcome::Refused => "refused",
            AuditOutcome::Unknown => "unknown",
        }
    }

    pub fn read(text: &str) -> Option<AuditOutcome> {
        [AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Unknown].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// One entry. It never holds a secret: whoever writes one leaves them out.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    pub id: AuditId,
    /// Nil when it concerns no organization, such as a login that failed.
    pub org: OrgId,
    /// `None` in a new one: the store's clock says when.
    pub at: Option<Millis>,
    pub user: Option<UserId>,
    pub actor: Actor,
    /// The caller's network address.
    pub address: Option<String>,
    /// The caller's `User-Agent`.
    pub agent: Option<String>,
    /// The operation's id, or `use_credential`.
    pub action: String,
    pub outcome: AuditOutcome,
    /// `plan`, `member`, …
    pub target_kind: Option<String>,
    pub target_id: Option<String>,
    /// How the target was, and how it is now.
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub request_id: Option<String>,
}

/// Every part that is set must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    pub user: Option<UserId>,
    pub action: Option<String>,
    /// Its id.
    pub target: Option<String>,
    /// Part of the span.
    pub since: Option<Millis>,
    /// Not part of it.
    pub until: Option<Millis>,
}

#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Durable when it returns; all in one transaction, whichever organizations they belong to.
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError>;

    /// Puts `records` in the place of an entry whose outcome was not known, in one transaction; without records it goes. Only such an entry
    /// is ever replaced.
    async fn settle_audit(&self, org: OrgId, begun: AuditId, records: &[AuditRecord]) -> Result<(), StoreError>;

    /// Newest first; those of one moment by their ids.
    async fn list_audit(&self, org: OrgId, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditRecord>, StoreError>;

    /// Removes up to `batch` entries from before that moment, of any organization; how many.
    async fn prune_audit(&self, before: Millis, batch: u32) -> Result<u64, StoreError>;
}
