//! Remembering: the store traits of `mainspring-model` over SQLite and over PostgreSQL, and the files that lie beside the first.
//!
//! SQL lives here and nowhere else. Every file under `sqlite/` has its twin of the same name under `postgres/`.

mod blobs;
mod bucket;
pub mod ceiling;
pub mod copy;
mod file_folder;
mod lock;
pub mod postgres;
mod sabotage;
mod shared;
mod sqlite;

pub use bucket::{Bucket, BucketTerms};
pub use lock::{holder, unwritable};
pub use sqlite::{DATABASE_FILE, OpenOptions, SqliteDeparture, SqliteImport, SqliteSnapshot, SqliteStore, migration_state, reopen};
