//! What exists in Mainspring: ids, plans, expressions, actions, outcomes, journal events, store traits, clocks and error codes.
//!
//! No I/O, no tokio, no clock is read here: whatever changes between two calls comes in as an argument.

pub mod action;
pub mod budget;
pub mod burst;
pub mod catalog;
pub mod clock;
pub mod context;
pub mod credential;
pub mod cron;
pub mod date_form;
pub mod duration;
pub mod event;
pub mod expr;
pub mod fault;
pub mod file;
pub mod flag;
pub mod flow;
pub mod form;
pub mod hidden;
pub mod id;
pub mod lockout;
pub mod mail;
pub mod mailbox;
pub mod oauth;
pub mod plan;
pub mod problem;
pub mod rate;
pub mod role;
pub mod run;
pub mod scope;
pub mod secret_reference;
pub mod state;
pub mod store;
pub mod trace;
pub mod value;
pub mod wait;
pub mod watch;

pub use fault::{Class, Code, Effected, Fault};
pub use problem::Problem;
