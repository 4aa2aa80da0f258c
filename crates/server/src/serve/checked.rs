//! What the start has checked, told: a table on a terminal, else a line of the log each, and why it refuses.

use std::fmt;

use super::ServeError;
use crate::checks::{self, Check, State};
use crate::cli::terminal::{self, Style};
use crate::wire::OpenError;

/// The checks for which the server does not start, one line each.
#[derive(Debug)]
pub struct Refusal(Vec<Check>);

impl Refusal {
    /// Of the first.
    pub fn code(&self) -> &'static str {
        match self.0.iter().find(|check| check.refuses()).and_then(|check| check.code.as_deref()) {
            Some("CLOCK_WRONG") => "CLOCK_WRONG",
            Some("UNSAFE_SETTING") => "UNSAFE_SETTING",
            _ => "CHECK_FAILED",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&checks::lines(&self.0))
    }
}

/// On a terminal everything that was checked is shown, so that one sees what does hold.
pub(super) fn refuse(told: &[Check]) -> Result<(), ServeError> {
    if !told.iter().any(Check::refuses) {
        return Ok(());
    }
    show_table(told);
    Err(ServeError::Refused(Refusal(told.iter().filter(|check| check.refuses()).cloned().collect())))
}

/// What could not be opened keeps its own words and code; the table says which check it belongs to.
pub(super) fn show_refusal(mut told: Vec<Check>, error: OpenError) -> ServeError {
    if terminal::stderr_is_terminal() {
        told.push(Check::new(checks::name_of(error.code()), State::Failed, error.to_string()));
        show_table(&told);
    }
    ServeError::Open(error)
}

fn show_table(told: &[Check]) {
    if terminal::stderr_is_terminal() {
        eprintln!("{}", checks::table(told, Style::default(), terminal::width()));
    }
}

/// A table for who watches, else a line of the log for each.
pub(super) fn say(told: &[Check]) {
    show_table(told);
    for check in told {
        let Check { name, found, next, .. } = check;
        let next = next.as_deref().unwrap_or_default();
        if check.is_fine() {
            // The table has said it.
            if !terminal::stderr_is_terminal() {
                tracing::info!(check = name, found, "checked");
            }
        } else {
            tracing::warn!(check = name, found, next, "a check found something; the server starts all the same");
        }
    }
}
