//! A finding: one place where a rule of the house is broken, printed as `file:line: text [rule]`.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the root of the checkout, with `/`; or the name of a crate.
    pub(crate) place: String,
    /// 1-based; `None` for the whole file.
    pub(crate) line: Option<usize>,
    pub(crate) rule: &'static str,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn new(place: &str, rule: &'static str, text: impl Into<String>) -> Finding {
        Finding { place: place.to_owned(), line: None, rule, text: text.into() }
    }

    pub(crate) fn at(place: &str, line: usize, rule: &'static str, text: impl Into<String>) -> Finding {
        Finding { line: Some(line), ..Finding::new(place, rule, text) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {} [{}]", self.place, self.text, self.rule),
            None => write!(f, "{}: {} [{}]", self.place, self.text, self.rule),
        }
    }
}
