//! An earlier condition as an expression: `==` and `!=` compared texts, everything else asked whether a value is there.

use serde_json::Value;

use crate::expr::Expr;

/// The action that a condition becomes.
pub(super) const ACTION: &str = "logic.if";

/// The expression; `None` when there is no condition. Numbered steps stay in it as `{{…}}` would have them, resolved by `numbering`.
pub(super) fn expression(written: &Value) -> Option<String> {
    let text = match written {
        Value::Bool(value) => return Some(value.to_string()),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if text.is_empty() {
        return None;
    }
    for (sign, operator) in [("!=", "!="), ("==", "==")] {
        if let Some((left, right)) = split(text, sign) {
            return Some(format!("{} {operator} {}", as_text(left), as_text(right)));
        }
    }
    // `!!` because a condition refuses text, which the earlier engine took as true unless empty.
    Some(match path(text) {
        Some(path) => format!("!!{path}"),
        None => format!("!!{}", quoted(unquoted(text))),
    })
}

/// The items of an earlier loop: a list, or an object with `items`.
pub(super) fn items(source: &str, most: u64) -> String {
    let path = path(source).unwrap_or_else(|| source.trim().to_owned());
    let whole = path.matches('.').count() <= 2 && path.ends_with(".output");
    let list = if whole { format!("({path}.items ?? {path})") } else { path };
    format!("{list}.slice(0, {most})")
}

/// Both sides of the first `sign` outside `{{…}}` and quotes.
fn split<'t>(text: &'t str, sign: &str) -> Option<(&'t str, &'t str)> {
    let (mut braces, mut quote) = (0_usize, None);
    for (at, character) in text.char_indices() {
        let rest = &text[at..];
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => braces += 1,
            (None, '}') => braces = braces.saturating_sub(1),
            (None, _) if braces == 0 && rest.starts_with(sign) => return Some((text[..at].trim(), text[at + sign.len()..].trim())),
            _ => {}
        }
    }
    None
}

/// One side of a comparison, as text: a path in a template literal, everything else a literal.
fn as_text(side: &str) -> String {
    let side = side.strip_prefix('=').unwrap_or(side).trim();
    match path(side) {
        Some(path) => format!("`${{{path}}}`"),
        // The earlier engine's words for what JSON writes small.
        None => quoted(match unquoted(side) {
            "True" => "true",
            "False" => "false",
            "None" => "",
            other => other,
        }),
    }
}

/// `{{step_1.output}}` or a bare `step_1…` as an expression.
fn path(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = match text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        Some(inner) => inner.trim(),
        None if text.starts_with("step_") => text,
        None => text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))?.trim(),
    };
    let expr = Expr::parse(inner).ok()?;
    if !expr.is_path() {
        return None;
    }
    // The marker that `numbering` resolves when it knows how the document counts.
    Some(super::numbering::spelled_by(inner, &|name| name.to_owned()).unwrap_or_else(|| inner.to_owned()))
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}
