//! Local servers for tests: each speaks a real protocol on loopback and remembers what it was asked.

mod asked;
mod board;
pub mod bucket;
mod chat;
mod client;
mod files;
pub mod imap;
mod items;
mod jobs;
pub mod server;
mod tests;

pub use asked::Asked;
pub use board::{board, echo};
pub use chat::{Chat, Refusal};
pub use client::Client;
pub use files::file;
pub use items::{Items, price};
pub use jobs::Jobs;
pub use server::{Server, json, reply};
