//! Renaming steps inside expressions, for documents that count steps otherwise.

use serde_json::Value;

use super::scope::StepKey;
use super::segment::{Segment, segments};
use super::token::{Kind, Scanner, Token};

/// The expression with each step key for which `new` gives another one replaced; `None` when nothing changes.
pub fn rename_steps(text: &str, new: &dyn Fn(StepKey) -> Option<StepKey>) -> Option<String> {
    let tokens: Vec<Token> = Scanner::new(text, 0).collect();
    let (mut made, mut copied) = (String::new(), 0);
    for (i, token) in tokens.iter().enumerate() {
        let named = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.text(text) == word);
        let is_root = token.kind == Kind::Word && token.text(text) == "steps" && !(i > 0 && (named(i - 1, ".") || named(i - 1, "?.")));
        if !is_root {
            continue;
        }
        let optional = named(i + 1, "?.");
        let after = if optional { i + 2 } else { i + 1 };
        let Some((key, end)) = key(text, &tokens, after, optional) else { continue };
        let Some(renamed) = new(key) else { continue };
        made.push_str(&text[copied..token.end]);
        made.push_str(&match (renamed, optional) {
            (StepKey::Id(id), optional) => path_to(&id, optional),
            (StepKey::Index(index), false) => format!("[{index}]"),
            (StepKey::Index(index), true) => format!("?.[{index}]"),
        });
        copied = end;
    }
    if copied == 0 {
        return None;
    }
    made.push_str(&text[copied..]);
    Some(made)
}

/// What follows `steps` to name a step: a word after a dot, anything else as text in brackets.
fn path_to(id: &str, optional: bool) -> String {
    let word = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (word, optional) {
        (true, false) => format!(".{id}"),
        (true, true) => format!("?.{id}"),
        (false, false) => format!("[{}]", Value::from(id)),
        (false, true) => format!("?.[{}]", Value::from(id)),
    }
}

/// A template's text with the steps in each `${…}` renamed; `None` when nothing changes.
pub fn rename_steps_in_text(text: &str, new: &dyn Fn(StepKey) -> Option<StepKey>) -> Option<String> {
    let found = segments(text).ok()?;
    let (mut made, mut changed) = (String::with_capacity(text.len()), false);
    for segment in &found {
        match segment {
            Segment::Text { start, end, .. } => made.push_str(&text[*start..*end]),
            Segment::Expr { start, end } => {
                let inner = &text[*start..*end];
                let renamed = rename_steps(inner, new);
                changed |= renamed.is_some();
                made.push_str("${");
                made.push_str(renamed.as_deref().unwrap_or(inner));
                made.push('}');
            }
        }
    }
    changed.then_some(made)
}

/// The literal key that stands at token `at`, and where it ends. `optional`: it follows a `?.`.
fn key(text: &str, tokens: &[Token], at: usize, optional: bool) -> Option<(StepKey, usize)> {
    let first = tokens.get(at)?;
    let next = |n: usize| tokens.get(at + n);
    match (first.kind, first.text(text)) {
        (Kind::DotIndex, number) => Some((StepKey::Index(number[1..].parse().ok()?), first.end)),
        (Kind::Word, id) if optional => Some((StepKey::Id(id.to_owned()), first.end)),
        (Kind::Punct, ".") => {
            let id = next(1).filter(|token| token.kind == Kind::Word)?;
            Some((StepKey::Id(id.text(text).to_owned()), id.end))
        }
        (Kind::Punct, "[") => {
            let (key, close) = (next(1)?, next(2).filter(|token| token.text(text) == "]")?);
            let word = key.text(text);
            let key = match key.kind {
                Kind::Number => StepKey::Index(word.parse().ok()?),
                // Escapes spell no step's id, and what they spell is not in the text.
                Kind::Text if !word.contains('\\') => StepKey::Id(word[1..word.len() - 1].to_owned()),
                _ => return None,
            };
            Some((key, close.end))
        }
        _ => None,
    }
}
