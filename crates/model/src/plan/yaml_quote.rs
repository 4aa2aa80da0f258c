//! Recognises a value that YAML broke at its first character, or at a `: ` inside, and that quotes would have saved.

use serde_saphyr::granit_parser::ErrorKind;

use super::code;
use super::spot::Place;
use crate::Problem;

/// The fix of every such problem.
pub(crate) const FIX: &str = "put it in quotes";

/// A problem for the value that the parser broke off in, when quotes are what is missing.
pub(crate) fn broken(text: &str, at: Place, kind: &ErrorKind) -> Option<Problem> {
    let lines: Vec<&str> = text.lines().take(at.line as usize).collect();
    // The parser often notices on the line after the value.
    for line_number in (at.line.saturating_sub(1)..=at.line).rev().filter(|line| *line > 0) {
        let line = lines.get(line_number as usize - 1).copied().unwrap_or_default();
        let limit = if line_number == at.line { at.column as usize } else { usize::MAX };
        if let Some((column, reason)) = value_in(line, limit, kind) {
            let column = u32::try_from(column).unwrap_or(u32::MAX);
            return Some(Problem::new(code::SYNTAX, "", reason).at(line_number, column).fix(FIX));
        }
        if !line.trim().is_empty() && line_number == at.line && at.column > 1 {
            break;
        }
    }
    None
}

/// The last value on the line, starting at or before column `limit`, that cannot stand without quotes.
fn value_in(line: &str, limit: usize, kind: &ErrorKind) -> Option<(usize, String)> {
    let characters: Vec<char> = line.chars().collect();
    let mut found = None;
    for at in starts(&characters) {
        if at + 1 > limit {
            break;
        }
        let rest = &characters[at..];
        let sign = rest[0];
        let breaks = match sign {
            '!' | '%' | '@' | '`' | '&' | '*' => true,
            '[' | '{' => after_bracket(rest).is_some_and(goes_on) || rest.get(1) == Some(&'{'),
            '\'' | '"' => after_quote(rest).is_some_and(goes_on),
            '$' => {
                rest.get(1) == Some(&'{')
                    && line.contains(['{', '[', ','])
                    && matches!(
                        kind,
                        ErrorKind::ExpectedFlowMappingSeparator
                            | ErrorKind::ExpectedFlowSequenceSeparator
                            | ErrorKind::FlowMappingValueAdjacentCollection
                            | ErrorKind::UnexpectedEndOfPlainScalar
                            | ErrorKind::MismatchedFlowCollectionEnd { .. }
                    )
            }
            _ => false,
        };
        if breaks {
            found = Some((at + 1, format!("YAML reads the leading {sign} of this value as a sign of its own")));
        } else if matches!(kind, ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement)
            && rest.windows(2).any(|two| two == [':', ' '])
        {
            found = Some((at + 1, "YAML reads the \": \" inside this value as the end of a field's name".to_owned()));
            break;
        }
    }
    found
}

/// Where values start on a line: after `key: `, `- `, and the signs of flow lists and objects.
fn starts(line: &[char]) -> impl Iterator<Item = usize> + '_ {
    (1..line.len()).filter(|at| {
        let before = &line[..*at];
        let space = line[*at].is_whitespace();
        let previous = before.iter().rev().find(|character| !character.is_whitespace());
        let spaced = line[*at - 1].is_whitespace();
        !space
            && match previous {
                Some(':' | '-') => spaced,
                Some('[' | ',' | '{') => true,
                _ => false,
            }
    })
}

/// The first sign after the closing bracket of the leading one.
fn after_bracket(rest: &[char]) -> Option<char> {
    let mut depth = 0_usize;
    for (at, character) in rest.iter().enumerate() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return rest[at + 1..].iter().copied().find(|next| !next.is_whitespace());
                }
            }
            _ => {}
        }
    }
    None
}

/// The first sign after the closing quote of the leading one.
fn after_quote(rest: &[char]) -> Option<char> {
    let close = rest.iter().skip(1).position(|character| *character == rest[0])? + 1;
    rest[close + 1..].iter().copied().find(|next| !next.is_whitespace())
}

/// Whether an expression goes on with this sign.
fn goes_on(next: char) -> bool {
    matches!(next, '=' | '!' | '<' | '>' | '+' | '-' | '*' | '/' | '?' | '&' | '|' | '.' | '%' | '[')
}
