//! The program as one of many nodes: real processes over a PostgreSQL of the tests' own.

pub mod database;
pub mod node;
mod nodes;
mod outages;
mod pauses;
mod refusals;
mod relay;
