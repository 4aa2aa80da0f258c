//! The built program as people and scripts call it: exit codes, messages, and what lies on disk afterwards.

mod accounts;
mod authoring;
mod check;
mod keys;
pub mod program;
mod running;
mod serving;
mod settings;
mod starting;
mod telling;
