//! The egress: what it refuses, what it follows, and how it tells what went wrong.

mod addresses;
mod bodies;
mod connections;
mod redirects;
mod spellings;
mod statuses;
mod times;
