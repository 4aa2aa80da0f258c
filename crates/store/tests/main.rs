//! The store's tests: one suite that every database passes, and what only one of them has to prove.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bucket;
mod copies;
mod postgres;
mod sqlite;
mod suite;
