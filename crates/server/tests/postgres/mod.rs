//! The program as one of many nodes: real processes over a PostgreSQL of the tests' own.

pub mod database;
mod live;
mod node;
mod nodes;
mod redis;
mod refusals;
