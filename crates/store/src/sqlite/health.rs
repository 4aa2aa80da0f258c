//! How the store is, and its orderly end; blobs pass through here to the folder beside the database.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Backlog, Blobs, Health, Migrations, Pool, Reach, StoreError};
use sqlx::Row;

use super::{SqliteStore, migrations};

/// A probe that takes longer than this says that the store is ill.
const PROBE: Duration = Duration::from_secs(5);

/// A backlog of millions need not be counted to its end.
const BACKLOG: &str = "select (select count(*) from (select 1 from runs where status = 'queued' and due_at is not null limit 100000)), \
     (select min(due_at) from runs where status = 'queued' and due_at is not null)";

#[async_trait]
impl Health for SqliteStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let now = self.now_ms();
        let probe = async {
            self.write(async move |connection| {
                sqlx::query("update store_state set probed_at = ?1 where only_row = 1").bind(now).execute(connection).await?;
                Ok(())
            })
            .await?;
            self.read(|connection| {
                Box::pin(async move {
                    let row = sqlx::query("select probed_at from store_state where only_row = 1").fetch_one(connection).await?;
                    Ok(row.try_get::<i64, _>(0)?)
                })
            })
            .await
        };
        match tokio::time::timeout(PROBE, probe).await {
            Ok(read) => read.map(|_| ()),
            Err(_) => Err(StoreError::Failed(format!("{} did not answer a probe within {} s", self.place, PROBE.as_secs()))),
        }
    }

    async fn migrations(&self) -> Result<Migrations, StoreError> {
        self.read(|connection| Box::pin(migrations::state(connection))).await
    }

    fn reach(&self) -> Reach {
        Reach::default()
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query(BACKLOG).fetch_one(connection).await?;
                Ok(Backlog { queued: row.try_get::<i64, _>(0)?.cast_unsigned(), oldest: row.try_get(1)? })
            })
        })
        .await
    }

    fn pools(&self) -> Vec<Pool> {
        vec![Pool {
            name: "readers",
            shared: true,
            most: self.readers.options().get_max_connections(),
            open: self.readers.size(),
            idle: u32::try_from(self.readers.num_idle()).unwrap_or(u32::MAX),
            waiting: self.waiting.load(Ordering::Relaxed),
        }]
    }

    async fn close(&self) {
        // Readers first: the last connection to leave moves the write-ahead log into the database, and that is the writer.
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The folder is one for all: an address is a hash, and only a run's own journal tells it.
#[async_trait]
impl Blobs for SqliteStore {
    async fn put_blob(&self, _org: OrgId, bytes: Vec<u8>) -> Result<String, StoreError> {
        let (blobs, now) = (Arc::clone(&self.blobs), self.now_ms());
        tokio::task::spawn_blocking(move || blobs.put(&bytes, now)).await.unwrap_or(Err(StoreError::Closed))
    }

    async fn get_blob(&self, _org: OrgId, sha256: &str) -> Result<Vec<u8>, StoreError> {
        let (blobs, sha256) = (Arc::clone(&self.blobs), sha256.to_owned());
        tokio::task::spawn_blocking(move || blobs.get(&sha256)).await.unwrap_or(Err(StoreError::Closed))
    }
}
