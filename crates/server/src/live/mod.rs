//! Live updates: feeds that look into the store when something rings, and readers that take from their small rings at their own pace.
//!
//! What is told comes from the store alone: a change here, word from another node and a poll only decide *when* it is looked at.
//! So every node tells the same, and losing a word costs time and nothing else.

mod event;
mod feed;
mod hub;
mod list;
mod look;
mod people;
mod reader;
mod redis;
mod states;
mod topic;
mod trail;

pub use event::VERSION;
pub use hub::{Hub, Terms};
pub use reader::{Item, Reader, Refused, Sees};
pub use redis::Redis;
pub use topic::{Place, Topic};
