//! The HTTP interface as its callers meet it: the real router over a real store.

mod conventions;
mod credential_items;
mod credentials;
mod documents;
mod doors;
mod egress;
mod events;
mod execute;
mod idempotency;
mod integrations;
mod isolation;
mod keys;
mod limits;
pub mod live;
mod matrix;
mod metrics;
mod observing;
mod organizations;
mod plans;
mod roles;
mod schedules;
mod serving;
mod steps;
mod webhook_answers;
mod webhooks;
pub mod world;
