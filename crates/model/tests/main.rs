//! The model's outside behaviour; one binary, a module for each noun.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cron;
mod cron_gate;
mod expr;
mod form;
mod fuzz;
mod plan;
