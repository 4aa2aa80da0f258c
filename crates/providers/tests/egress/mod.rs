//! The egress: what it refuses, what it follows, and how it tells what went wrong.

mod addresses;
mod bodies;
mod breaker;
mod connections;
mod redirects;
mod s4;
pub mod spellings;
mod statuses;
mod times;
