//! What an expression reads, for the checks at save.

use super::scope::{StepField, StepKey};

/// One read of something outside the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub kind: ReferenceKind,
    /// The constant parts after the root or the step's field, up to the first computed one. `length` of a text or list stands here too.
    pub path: Vec<PathPart>,
    /// Under `?.`, `??` or `default()`: may be missing.
    pub guarded: bool,
    /// Byte offset in the text that was parsed (the whole text, for a template).
    pub offset: usize,
}

/// Where a reference starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `inputs`, `item`, … : any name other than `steps`.
    Root(String),
    /// `steps.<key>.<field>`.
    Step(StepKey, StepField),
}

/// One constant part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    Key(String),
    Index(usize),
}
