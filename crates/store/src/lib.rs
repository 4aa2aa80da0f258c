//! Remembering: the store traits of `mainspring-model` over SQLite, and the files that lie beside the database.
//!
//! SQL lives here and nowhere else. Every file under `sqlite/` has its twin of the same name for another database.

mod blobs;
pub mod ceiling;
mod lock;
mod shared;
mod sqlite;

pub use lock::{holder, unwritable};
pub use sqlite::{DATABASE_FILE, OpenOptions, SqliteStore};
