//! Expressions: a safe subset of JavaScript expressions over plain JSON, parsed by oxc and evaluated here with fuel.
//!
//! The meaning is defined in `docs/plan-format.md`, "Expressions".

mod scope;

pub use scope::{Ambient, NoScope, Scope, StepField, StepKey};
