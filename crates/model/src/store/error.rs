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
            StoreError::Closed => "STORE_CLOSED",
            StoreError::Failed(_) => "STORE_FAILED",
        }
    }
}
