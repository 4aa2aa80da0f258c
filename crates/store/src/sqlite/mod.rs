//! The embedded store: one SQLite file in WAL mode, one writing connection, a few reading ones.

mod access;
mod audit;
mod births;
mod bursts;
mod claims;
mod commit;
mod copy_in;
mod copy_out;
mod copy_sql;
mod credentials;
mod departure;
mod egress;
mod erase;
mod error;
mod factors;
mod files;
mod flags;
mod flow;
mod forget;
mod health;
mod integrations;
mod invitations;
mod ledger;
mod live;
mod logs;
mod migrations;
mod monitoring;
mod notifications;
mod open;
mod organizations;
mod outbox;
mod people;
mod places;
mod plans;
mod prune;
#[cfg(test)]
mod query_plans;
mod queue;
mod routes;
mod rows;
mod runs;
mod schedules;
mod sealed;
mod secrets;
mod sessions;
mod shares;
mod signals;
mod state;
mod state_write;
mod trigger_states;
mod turns;
mod values;
mod variables;
mod versions;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::CredentialId;
use mainspring_model::store::{FileBytes, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::blobs::BlobFolder;
use crate::file_folder::FileFolder;
use crate::shared;
use error::Fail;
use writer::Writer;

pub use copy_in::Import as SqliteImport;
pub use copy_out::Whole as SqliteSnapshot;
pub use departure::{Departing as SqliteDeparture, reopen};
pub use open::{DATABASE_FILE, OpenOptions, migration_state};

/// A store in one data folder. Cheap to share; dropping the last reference ends the writer after what it has accepted.
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    blobs: Arc<BlobFolder>,
    files: FileFolder,
    /// Where the bytes of new files go instead, when the operator named a bucket.
    objects: Option<Arc<dyn FileBytes>>,
    /// The generation this process drives runs in; 0 when it does not hold the engine lock.
    epoch: i64,
    /// How many runs of each organization may be at work.
    places: Option<u32>,
    arrived: Arc<Notify>,
    /// Callers without a reading connection yet.
    waiting: AtomicU32,
    /// The database file, for messages.
    place: Arc<str>,
    /// The next blob folder that the sweep looks into.
    sweep: AtomicU8,
    /// When each credential's use was noted last.
    touched: Mutex<HashMap<CredentialId, Millis>>,
}

impl SqliteStore {
    fn now_ms(&self) -> Millis {
        self.clock.now()
    }

    /// Runs `body` inside the writer's next transaction. It may be run again when a neighbour in that transaction fails.
    async fn write<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: AsyncFn(&mut SqliteConnection) -> Result<T, Fail> + Send + 'static,
    {
        self.writer.run(body).await
    }

    /// Runs `body` on a reading connection.
    async fn read<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Fail>>,
    {
        let connection = match self.readers.try_acquire() {
            Some(connection) => Ok(connection),
            None => {
                let _counted = Waiting::new(&self.waiting);
                self.readers.acquire().await
            }
        };
        let mut connection = connection.map_err(|error| Fail::Sql(error).stored(&self.place))?;
        body(&mut connection).await.map_err(|fail| fail.stored(&self.place))
    }
}

/// Counts one caller that waits, until dropped.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An id from its 16 bytes.
fn uuid(row: &SqliteRow, column: usize) -> Result<Uuid, Fail> {
    id_of(row.try_get::<&[u8], _>(column)?)
}

fn id_of(bytes: &[u8]) -> Result<Uuid, Fail> {
    Uuid::from_slice(bytes).map_err(|_| Fail::damaged("an id"))
}

/// An id as it is bound.
fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// A JSON array of ids in hex, for `select unhex(value) from json_each(?)`.
fn hex_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| format!("\"{}\"", id.as_simple())).collect();
    format!("[{}]", ids.join(","))
}

/// A JSON array of row numbers, for `select value from json_each(?)`. SQLite reads integers exactly.
fn number_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fail> {
    Ok(shared::json::json(text)?)
}

fn text_of<T: serde::Serialize>(value: &T) -> Result<String, Fail> {
    Ok(shared::json::text_of(value)?)
}
