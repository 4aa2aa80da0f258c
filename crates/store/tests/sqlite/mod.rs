//! The suite over SQLite, and what only an embedded store has to prove.

mod crashes;
mod disk;
mod growth;
mod opening;
mod view;
mod writers;

use std::path::Path;
use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::store::StoreError;
use mainspring_store::{DATABASE_FILE, OpenOptions, SqliteStore};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::suite::make::{START, World};

async fn fresh() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    let store = open(folder.path(), &clock).await.unwrap();
    World::new(store, clock, folder)
}

pub async fn open(folder: &Path, clock: &FakeClock) -> Result<Arc<SqliteStore>, StoreError> {
    SqliteStore::open(OpenOptions::new(folder, Arc::new(clock.clone()))).await
}

/// A connection beside the store, for what no store does: breaking things and looking at them.
pub async fn beside(folder: &Path) -> SqliteConnection {
    let file = folder.join(DATABASE_FILE);
    sqlx::sqlite::SqliteConnectOptions::new().filename(file).foreign_keys(false).connect().await.unwrap()
}

mod suite {
    crate::suite::suite!(super::super::fresh);
}
