//! The HTTP interface as its callers meet it: the real router over a real store.

mod accounts;
mod conventions;
mod credentials;
mod documents;
mod events;
mod execute;
mod idempotency;
mod integrations;
mod isolation;
mod issuer;
mod keys;
mod limits;
pub mod live;
mod metrics;
mod observing;
mod outside;
mod people;
mod plans;
mod proofs;
mod roles;
mod schedules;
mod serving;
mod steps;
mod webhook_answers;
mod webhooks;
pub mod world;
