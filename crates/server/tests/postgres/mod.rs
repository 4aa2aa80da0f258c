//! The program as one of many nodes: real processes over a PostgreSQL of the tests' own.

pub mod database;
mod limits;
mod live;
pub mod node;
mod nodes;
mod outages;
mod pauses;
pub mod postmaster;
pub mod redis;
mod refusals;
mod relay;
