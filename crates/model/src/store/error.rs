//! Why a store could not do what it was asked, in the few kinds that callers decide upon.

use thiserror::Error;

/// A store's failure. Messages name files and settings, never values.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The row is not there, or is somebody else's.
    #[error("{what} does not exist")]
    NotFound { what: String },
    /// A unique name is taken, or the row changed since it was read.
    #[error("{0}")]
    Conflict(String),
    /// The caller's version is not the current one.
    #[error("{what} was changed meanwhile: it is at version {current}")]
    Stale { what: String, current: u32 },
    #[error("the value has {size} bytes; at most {limit} are kept")]
    TooLarge { size: u64, limit: u64 },
    #[error("a cursor, filter or stored row could not be read: {0}")]
    Invalid(String),
    /// The disk is full. Nothing of the refused write was kept.
    #[error("the disk that holds {place} is full; free space and try again, nothing accepted was lost")]
    Full { place: String },
    #[error("{place} cannot be written: {reason}")]
    ReadOnly { place: String, reason: String },
    /// The database was written by a newer Mainspring.
    #[error("the database has migration \"{found}\", which this version does not know; start the version that wrote it, or a newer one")]
    Newer { found: String },
    /// A migration's text differs from the one that was applied.
    #[error("migration \"{name}\" was changed after it was applied")]
    ChangedMigration { name: String },
    /// Another process holds `engine.lock`.
    #[error("another Mainspring (process {pid}) runs on the data folder {folder}")]
    Locked { folder: String, pid: u32 },
    /// The database server does not answer: it is down, restarting, cut off, or slower than the deadline.
    #[error("the database {place} cannot be reached: {reason}")]
    Unreachable { place: String, reason: String },
    /// The server refused the login: user, password or database.
    #[error("the database {place} refused the login: {reason}")]
    Denied { place: String, reason: String },
    /// The server has no connection left for us.
    #[error("the database {place} has no connection left: {reason}")]
    Busy { place: String, reason: String },
    /// The login role may do more, or less, than a store needs.
    #[error("{0}")]
    Rights(String),
    #[error("the database server is PostgreSQL {found}; {needed} or newer is needed")]
    TooOld { found: String, needed: u32 },
    /// Migrations are missing and were not to be applied.
    #[error("the database lacks the migrations {}; apply them with `mainspring migrate up`", names.join(", "))]
    Pending { names: Vec<String> },
    /// Tables or views are not there, although their migrations were applied: dropped by a hand, or left out of a copy.
    #[error("the database lacks {names}, which this version needs; restore it from a whole backup")]
    Lacking { names: String },
    /// A copy is to be written where something is already.
    #[error("{place} is not empty: it has {found}")]
    NotEmpty { place: String, found: String },
    /// A copy into this database did not come to its end.
    #[error("{place} holds only part of what was to be moved there from {from}")]
    Incomplete { place: String, from: String },
    /// Everything went to another database.
    #[error("{place} was moved to {to}")]
    Moved { place: String, to: String },
    /// Processes serve the database right now.
    #[error("{nodes} nodes serve the database {place}")]
    InUse { place: String, nodes: u64 },
    /// Bytes of a backup are not those that were written.
    #[error("the backup cannot be read: {0}")]
    BadBackup(String),
    /// A newer Mainspring wrote the backup.
    #[error("the backup has form {found}; this version reads forms up to {known}")]
    NewerBackup { found: u32, known: u32 },
    /// What arrived is not what was sent.
    #[error("{0}")]
    Differs(String),
    #[error("the store was closed")]
    Closed,
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// The stable code, with a page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::NotFound { .. } => "NOT_FOUND",
            StoreError::Conflict(_) => "CONFLICT",
            StoreError::Stale { .. } => "STALE_VERSION",
            StoreError::TooLarge { .. } => "PAYLOAD_TOO_LARGE",
            StoreError::Invalid(_) => "INVALID_REQUEST",
            StoreError::Full { .. } => "DISK_FULL",
            StoreError::ReadOnly { .. } => "STORE_READ_ONLY",
            StoreError::Newer { .. } => "STORE_NEWER",
            StoreError::ChangedMigration { .. } => "MIGRATION_CHANGED",
            StoreError::Locked { .. } => "STORE_LOCKED",
            StoreError::Unreachable { .. } => "STORE_UNREACHABLE",
            StoreError::Denied { .. } => "STORE_DENIED",
            StoreError::Busy { .. } => "STORE_BUSY",
            StoreError::Rights(_) => "STORE_RIGHTS",
            StoreError::TooOld { .. } => "STORE_TOO_OLD",
            StoreError::Pending { .. } => "STORE_PENDING",
            StoreError::Lacking { .. } => "TABLES_MISSING",
            StoreError::NotEmpty { .. } => "STORE_NOT_EMPTY",
            StoreError::Incomplete { .. } => "STORE_INCOMPLETE",
            StoreError::Moved { .. } => "STORE_MOVED",
            StoreError::InUse { .. } => "STORE_IN_USE",
            StoreError::BadBackup(_) => "BACKUP_DAMAGED",
            StoreError::NewerBackup { .. } => "BACKUP_NEWER",
            StoreError::Differs(_) => "COPY_DIFFERS",
            StoreError::Closed => "STORE_CLOSED",
            StoreError::Failed(_) => "STORE_FAILED",
        }
    }
}
