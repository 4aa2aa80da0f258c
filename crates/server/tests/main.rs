//! The server's tests, one binary: a module per part.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod apart;
mod bad_input;
mod cli;
mod copies;
mod examples;
mod gates;
mod http;
mod postgres;
mod servers;
mod telling;
