//! One test binary for the crate: a module per noun.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod catalogue;
mod chat;
mod crypto;
mod custom;
mod egress;
mod files;
mod folders;
mod fuzz;
mod http;
mod imap;
mod jq;
mod logic;
mod logic_aggregate;
mod logic_examples;
mod logic_fake;
mod logic_lists;
mod net;
mod transform;
mod transform_csv;
mod transform_dates;
mod transform_documents;
mod transform_formats;
mod transform_sheets;
mod transform_text;
mod transform_zip;
