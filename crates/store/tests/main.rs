//! The store's tests: one suite that every database passes, and what only SQLite has to prove.

mod sqlite;
mod suite;
