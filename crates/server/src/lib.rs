//! The program as a library, so that its tests can start it in their own process. Nothing else uses it.

pub mod app;
pub mod audit;
pub mod bench;
pub mod catalog;
pub mod checks;
pub mod cli;
pub mod disk;
mod egress_rules;
pub mod erasure;
pub mod error_pages;
pub mod flags;
pub mod http;
pub mod identity;
mod known;
pub mod limits;
pub mod live;
pub mod mail;
pub mod metrics;
pub mod notify;
pub mod outbox;
pub mod plans;
pub mod roles;
pub mod serve;
pub mod settings;
pub mod tags;
pub mod webhooks;
pub mod wire;
