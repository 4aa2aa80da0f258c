//! A problem: one thing that is wrong with a document, where it is, and what would be right.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One finding about a document. All findings are reported at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, SCREAMING_SNAKE: `UNKNOWN_FIELD`, `CYCLE`, `EXPRESSION_SYNTAX`, … each with a page in `docs/errors/`.
    pub code: String,
    /// JSON pointer of the value that is wrong, `/steps/2/params/url`; empty for the whole document.
    pub pointer: String,
    /// 1-based line in the text that was read; absent when the document came as a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based column. Inside an expression it counts from the start of the line the expression stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    pub message: String,
    /// What would have been right: a type, a list of names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The text to put there instead, when we know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Problem {
    pub fn new(code: &str, pointer: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            code: code.to_owned(),
            pointer: pointer.into(),
            line: None,
            column: None,
            message: message.into(),
            expected: None,
            fix: None,
        }
    }

    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Problem {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Problem {
        self.expected = Some(expected.into());
        self
    }

    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Problem {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "{line}:{column} ")?,
            (Some(line), None) => write!(f, "line {line} ")?,
            _ => {}
        }
        if !self.pointer.is_empty() {
            write!(f, "{} ", self.pointer)?;
        }
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(fix) = &self.fix {
            write!(f, " (write {fix})")?;
        }
        Ok(())
    }
}

/// The name among `known` that `given` most likely meant, or `None` when nothing is near.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (given.chars().count() / 3).max(1);
    let lower = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
