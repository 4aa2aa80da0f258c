//! What a SQLite failure means to callers, and whether the rest of a batch may still succeed after it.

use mainspring_model::store::StoreError;

use crate::shared::json::damaged;

/// A failure inside the store, before it is put in the callers' words.
#[derive(Debug)]
pub(super) enum Fail {
    Sql(sqlx::Error),
    Store(StoreError),
}

impl From<sqlx::Error> for Fail {
    fn from(error: sqlx::Error) -> Fail {
        Fail::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Fail {
        Fail::Store(error)
    }
}

/// Primary result codes of SQLite that decide something.
const BUSY: i32 = 5;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;
/// The shared-memory file could not grow: on a full disk this comes before `FULL`.
const IOERR_SHMSIZE: i32 = 4874;

impl Fail {
    pub(super) fn damaged(what: &str) -> Fail {
        Fail::Store(damaged(what))
    }

    fn sqlite_code(&self) -> Option<i32> {
        match self {
            Fail::Sql(sqlx::Error::Database(error)) => error.code().and_then(|code| code.parse().ok()),
            _ => None,
        }
    }

    /// Whether a unique index refused the row.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Fail::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether every other write would meet the same: then nothing of a batch is tried again.
    pub(super) fn is_everyones(&self) -> bool {
        match self {
            Fail::Store(StoreError::Full { .. } | StoreError::ReadOnly { .. } | StoreError::Closed) => true,
            Fail::Store(_) => false,
            Fail::Sql(sqlx::Error::Database(_)) => {
                matches!(self.sqlite_code().map(|code| code & 0xff), Some(BUSY | READONLY | IOERR | CORRUPT | FULL | CANTOPEN | NOTADB))
            }
            // The connection is gone.
            Fail::Sql(_) => true,
        }
    }

    /// In the callers' words; `place` is the database file.
    pub(super) fn stored(self, place: &str) -> StoreError {
        let code = self.sqlite_code();
        let error = match self {
            Fail::Store(error) => return error,
            Fail::Sql(error) => error,
        };
        let place = place.to_owned();
        match code.map(|code| (code, code & 0xff)) {
            Some((_, FULL) | (IOERR_SHMSIZE, _)) => StoreError::Full { place },
            Some((_, READONLY | CANTOPEN)) => StoreError::ReadOnly { place, reason: message(&error) },
            Some((_, BUSY)) => StoreError::Failed("another process writes to the database for too long".to_owned()),
            _ => match error {
                sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StoreError::Closed,
                error => StoreError::Failed(message(&error)),
            },
        }
    }
}

fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}
