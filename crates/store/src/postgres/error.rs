//! What a PostgreSQL failure means to callers, and whether the rest of a batch may still succeed after it.

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

impl Fail {
    pub(super) fn damaged(what: &str) -> Fail {
        Fail::Store(damaged(what))
    }

    /// The SQLSTATE, when the server itself answered.
    pub(super) fn state(&self) -> Option<String> {
        match self {
            Fail::Sql(sqlx::Error::Database(error)) => error.code().map(|code| code.into_owned()),
            _ => None,
        }
    }

    /// Whether a unique index refused the row.
    pub(super) fn is_taken(&self) -> bool {
        self.state().as_deref() == Some("23505")
    }

    /// Whether the whole transaction may be tried again as it is: it lost a race and nothing of it is left.
    pub(super) fn is_a_lost_race(&self) -> bool {
        matches!(self.state().as_deref(), Some("40001" | "40P01" | "55P03"))
    }

    /// Whether the connection is of no use any more: nobody knows what it still has to say, or the server said that it ends.
    pub(super) fn is_the_connections(&self) -> bool {
        match self {
            Fail::Store(_) => false,
            Fail::Sql(sqlx::Error::Database(_)) => {
                self.state().is_some_and(|state| state.starts_with("08") || state.starts_with("57P") || state == "25P03")
            }
            Fail::Sql(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::WorkerCrashed
            ),
        }
    }

    /// Whether the server was not reached: it refused or ended the connection, said nothing in time, or is starting or stopping. What
    /// it answers otherwise, however unwelcome, it answers.
    pub(super) fn is_out_of_reach(&self) -> bool {
        match self {
            Fail::Store(error) => matches!(error, StoreError::Unreachable { .. }),
            Fail::Sql(sqlx::Error::Database(_)) => self.state().is_some_and(|state| state.starts_with("08") || state.starts_with("57P")),
            Fail::Sql(error) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)
            }
        }
    }

    /// Whether every other write would meet the same: then nothing of a batch is tried again.
    pub(super) fn is_everyones(&self) -> bool {
        if self.is_the_connections() {
            return true;
        }
        match self {
            Fail::Store(error) => matches!(
                error,
                StoreError::Full { .. }
                    | StoreError::ReadOnly { .. }
                    | StoreError::Unreachable { .. }
                    | StoreError::Busy { .. }
                    | StoreError::Closed
            ),
            // Out of resources, stopped by an operator or a timeout, read-only, no rights, input or output of the server itself.
            Fail::Sql(sqlx::Error::Database(_)) => self.state().is_some_and(|state| {
                ["53", "57", "58", "XX"].iter().any(|class| state.starts_with(class)) || matches!(&*state, "25006" | "42501")
            }),
            Fail::Sql(_) => true,
        }
    }

    /// In the callers' words; `place` is host, port and database, never a password.
    pub(super) fn stored(self, place: &str) -> StoreError {
        let state = self.state();
        let error = match self {
            Fail::Store(error) => return error,
            Fail::Sql(error) => error,
        };
        let reason = message(&error);
        let place = place.to_owned();
        match state.as_deref() {
            Some("53100") => StoreError::Full { place },
            Some("53300" | "53400") => StoreError::Busy { place, reason },
            Some("28P01" | "28000" | "3D000") => StoreError::Denied { place, reason },
            Some("25006") => StoreError::ReadOnly { place, reason },
            Some("42501") => StoreError::Rights(format!("the database {place} refused: {reason}")),
            Some("57014") => StoreError::Unreachable { place, reason: "a statement took longer than its deadline".to_owned() },
            Some(state) if state.starts_with("57P") || state.starts_with("08") || state == "25P03" => {
                StoreError::Unreachable { place, reason }
            }
            Some(_) => StoreError::Failed(reason),
            None => match error {
                sqlx::Error::PoolClosed => StoreError::Closed,
                sqlx::Error::PoolTimedOut => StoreError::Busy { place, reason: "no connection of our own became free in time".to_owned() },
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                    StoreError::Unreachable { place, reason }
                }
                _ => StoreError::Failed(reason),
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
