//! A problem of an expression's text: found while parsing, with the place and the right spelling.

use std::fmt;

/// The text cannot be read as an expression, or spells something in another language's way.
pub const SYNTAX: &str = "EXPRESSION_SYNTAX";
/// JavaScript that is not part of the subset.
pub const UNSUPPORTED: &str = "EXPRESSION_UNSUPPORTED";
/// Too long, too deep, or a number that does not fit.
pub const LIMIT: &str = "EXPRESSION_LIMIT";
/// No such function or method.
pub const UNKNOWN_FUNCTION: &str = "UNKNOWN_FUNCTION";
/// The wrong number or kind of arguments.
pub const WRONG_ARGUMENTS: &str = "WRONG_ARGUMENTS";
/// A step has no such field.
pub const UNKNOWN_FIELD: &str = "UNKNOWN_FIELD";

/// One finding about an expression. Places count within the text that was given to the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprProblem {
    /// One of the codes of this module.
    pub code: &'static str,
    pub message: String,
    /// Byte offset in the text, always on a character boundary.
    pub offset: usize,
    /// 1-based line within the text.
    pub line: u32,
    /// 1-based column within the line, in characters.
    pub column: u32,
    /// What would have been right.
    pub expected: Option<String>,
    /// The text to put there instead.
    pub fix: Option<String>,
}

impl ExprProblem {
    pub(crate) fn new(code: &'static str, text: &str, offset: usize, message: impl Into<String>) -> ExprProblem {
        let (offset, line, column) = place(text, offset);
        ExprProblem { code, message: message.into(), offset, line, column, expected: None, fix: None }
    }

    #[must_use]
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> ExprProblem {
        self.expected = Some(expected.into());
        self
    }

    #[must_use]
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> ExprProblem {
        self.fix = Some(fix.into());
        self
    }

    /// The same problem in a longer text in which this one's text starts at byte `by`.
    #[must_use]
    pub(crate) fn moved(mut self, text: &str, by: usize) -> ExprProblem {
        (self.offset, self.line, self.column) = place(text, self.offset + by);
        self
    }
}

impl fmt::Display for ExprProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}: {}", self.line, self.column, self.code, self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, " (expected {expected})")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, " (write {fix})")?;
        }
        Ok(())
    }
}

/// The offset moved back to a character boundary, with its 1-based line and column.
fn place(text: &str, offset: usize) -> (usize, u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (offset, u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
