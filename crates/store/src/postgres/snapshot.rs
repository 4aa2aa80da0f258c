//! A snapshot that somebody keeps: a report that runs for long, a backup, a session that was forgotten. Measurements hold one.

use mainspring_model::store::StoreError;
use sqlx::{Connection, Executor, PgConnection};

/// Until it is dropped or released no row that was removed after it can be cleaned up.
pub struct Snapshot(PgConnection);

impl Snapshot {
    /// # Errors
    /// `Failed` when the database refuses it.
    pub async fn take(url: &str) -> Result<Snapshot, StoreError> {
        let taken = async {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute("begin isolation level repeatable read read only").await?;
            // The first query takes it.
            connection.execute("select 1").await?;
            Ok::<_, sqlx::Error>(Snapshot(connection))
        };
        taken.await.map_err(|error| StoreError::Failed(format!("no snapshot could be taken: {error}")))
    }

    /// # Errors
    /// `Failed` when the connection was lost meanwhile: then it was not held.
    pub async fn release(mut self) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| StoreError::Failed(format!("the snapshot was lost: {error}"));
        self.0.execute("commit").await.map_err(failed)?;
        self.0.close().await.map_err(failed)
    }
}
