//! Expressions: a safe subset of JavaScript expressions over plain JSON, parsed by oxc and evaluated here with fuel.
//!
//! The meaning is defined in `docs/plan-format.md`, "Expressions". Text goes through `token` and `prepare` (bounds, spellings), the
//! parser, and `lower*` into `tree`; `eval` and its neighbours run the tree. Nothing here can be reached from an expression but the
//! table in `function`.

mod access;
mod demand;
mod eval;
mod field;
mod fuel;
mod function;
mod lower;
mod lower_call;
mod lower_path;
mod missing;
mod number;
pub mod older;
mod operator;
mod parse;
mod prepare;
mod problem;
mod reference;
mod rename;
mod scope;
mod segment;
mod spelling;
mod template;
mod token;
mod tree;
mod words;

pub use eval::{holds, truthy};
pub use field::field;
pub use fuel::{Fuel, MAX_BYTES, MAX_DEPTH};
pub use function::{FunctionDoc, functions};
pub use parse::Expr;
pub use prepare::MAX_LENGTH;
pub use problem::ExprProblem;
pub use reference::{PathPart, Reference, ReferenceKind};
pub use rename::{rename_steps, rename_steps_in_text};
pub use scope::{Ambient, NoScope, Scope, StepField, StepKey};
pub use template::Template;
