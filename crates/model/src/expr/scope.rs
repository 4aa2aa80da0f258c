//! What an expression can see: named roots, finished steps, and the recorded ambient values.

use std::borrow::Cow;

use serde_json::Value;

/// How an expression names a step: by id, or by zero-based index of the top list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepKey {
    Id(String),
    Index(usize),
}

/// The fields of a step that an expression can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepField {
    Output,
    Message,
    Metadata,
    Status,
    Error,
    Errors,
    Attempts,
    IdempotencyKey,
}

impl StepField {
    /// Field names in the order of the plan format's page.
    pub const NAMES: [(&'static str, StepField); 8] = [
        ("output", StepField::Output),
        ("message", StepField::Message),
        ("metadata", StepField::Metadata),
        ("status", StepField::Status),
        ("error", StepField::Error),
        ("errors", StepField::Errors),
        ("attempts", StepField::Attempts),
        ("idempotency_key", StepField::IdempotencyKey),
    ];
}

/// Where an expression's names come from. Borrowed values are read in place: nothing is copied to look at a path.
pub trait Scope {
    /// A root other than `steps`: `inputs`, `vars`, `org`, `trigger`, `run`, `item`, `index`, `loop`, `error`, or a loop's own `as` name.
    fn root(&self, name: &str) -> Option<Cow<'_, Value>>;
    /// The roots in scope, for error messages.
    fn root_names(&self) -> Vec<String>;
    /// One field of a step. `None`: no such step is visible here. A step that has not succeeded has `output` null.
    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>>;
    /// Ids of the visible steps, for error messages.
    fn step_names(&self) -> Vec<String>;
    /// The recorded sources of `now()`, `uuid()` and `random()`.
    fn ambient(&self) -> &dyn Ambient;
}

/// `now()`, `uuid()` and `random()`: recorded, so that a resumed run sees the same values.
pub trait Ambient {
    /// Unix milliseconds.
    fn now(&self) -> i64;
    /// The n-th 128 random bits asked for by this evaluation (counted from 0); the same n gives the same bits.
    fn random_bits(&self, n: u32) -> u128;
}

/// A scope with nothing in it, for constant expressions and tests.
pub struct NoScope;

impl Scope for NoScope {
    fn root(&self, _: &str) -> Option<Cow<'_, Value>> {
        None
    }
    fn root_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn step(&self, _: &StepKey, _: StepField) -> Option<Cow<'_, Value>> {
        None
    }
    fn step_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for NoScope {
    fn now(&self) -> i64 {
        0
    }
    fn random_bits(&self, _: u32) -> u128 {
        0
    }
}
