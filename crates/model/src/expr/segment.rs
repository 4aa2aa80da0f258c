//! The pieces of a template's text: plain text with `$${` undone, and where each `${…}` is.

use std::borrow::Cow;

use super::problem::{ExprProblem, SYNTAX};
use super::token::hole_end;

pub(super) enum Segment<'t> {
    /// Plain text as it means, and where it stands.
    Text { text: Cow<'t, str>, start: usize, end: usize },
    /// The content of `${…}`: the bytes between the braces.
    Expr { start: usize, end: usize },
}

/// Splits a template's text. A `${` without its `}` is a problem at the `${`.
pub(super) fn segments(text: &str) -> Result<Vec<Segment<'_>>, ExprProblem> {
    let mut segments = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hole = next_hole(text, at);
        let end = hole.unwrap_or(text.len());
        if at < end {
            let piece = &text[at..end];
            let meant = if piece.contains("$${") { Cow::Owned(piece.replace("$${", "${")) } else { Cow::Borrowed(piece) };
            segments.push(Segment::Text { text: meant, start: at, end });
        }
        let Some(hole) = hole else { break };
        let Some(close) = hole_end(text, hole + 2) else {
            let problem = ExprProblem::new(SYNTAX, text, hole, "this `${` is never closed by a `}`; plain `${` is written `$${`");
            return Err(problem.fix("$${"));
        };
        segments.push(Segment::Expr { start: hole + 2, end: close });
        at = close + 1;
    }
    Ok(segments)
}

/// The next `${` at or after `at` that is not written `$${`.
fn next_hole(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let found = at + text[at..].find("${")?;
        if found == at || text.as_bytes()[found - 1] != b'$' {
            return Some(found);
        }
        at = found + 2;
    }
}
