//! Patterns: regular expressions matched in time linear in the text, without look-around or back-references.

use std::borrow::Cow;
use std::sync::Arc;

use regex::{Captures, Match, Regex, RegexBuilder};
use serde_json::Value;

use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::{Out, push};
use crate::expr::fuel::Stop;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 5] = [
    Function::new(
        Of::None,
        "matches",
        "matches(text, pattern, flags?)",
        "Whether the pattern is found in the text; flags are `i` (any case), `m` (lines), `s` (`.` is any character).",
        "matches('Order 17', '^order \\\\d+$', 'i')",
        "true",
        matches,
    )
    .takes(2, 3)
    .pattern(1),
    Function::new(
        Of::None,
        "firstMatch",
        "firstMatch(text, pattern, flags?)",
        "The first match and its groups as a list, or null.",
        "firstMatch('a=1, b=2', '(\\\\w)=(\\\\d)')",
        r#"["a=1","a","1"]"#,
        first,
    )
    .takes(2, 3)
    .pattern(1),
    Function::new(
        Of::None,
        "allMatches",
        "allMatches(text, pattern, flags?)",
        "Every match with its groups, as a list of lists.",
        "allMatches('a1 b2', '\\\\w(\\\\d)')",
        r#"[["a1","1"],["b2","2"]]"#,
        all,
    )
    .takes(2, 3)
    .pattern(1),
    Function::new(
        Of::None,
        "replaceMatches",
        "replaceMatches(text, pattern, to, flags?)",
        "Every match replaced; `$1` in `to` is the first group, `$$` a dollar.",
        "replaceMatches('a1b2', '(\\\\d)', '<$1>')",
        r#""a<1>b<2>""#,
        replace,
    )
    .takes(3, 4)
    .pattern(1),
    Function::new(
        Of::None,
        "splitMatches",
        "splitMatches(text, pattern, flags?)",
        "The pieces between matches.",
        "splitMatches('a, b;c', '[,;] *')",
        r#"["a","b","c"]"#,
        split,
    )
    .takes(2, 3)
    .pattern(1),
];

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1000;
/// The largest compiled pattern, in bytes: the work for one character of text grows with it.
const MAX_COMPILED: usize = 1 << 20;
/// What compiling a pattern costs: up to some milliseconds.
const COMPILING: u64 = 20_000;

/// A pattern with its flags, or why not.
pub(in crate::expr) fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("the pattern is {} bytes long; at most {MAX_PATTERN} are read", pattern.len()));
    }
    let mut builder = RegexBuilder::new(&translated(pattern));
    builder.size_limit(MAX_COMPILED).dfa_size_limit(1 << 20).nest_limit(50);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            // always so
            'g' | 'u' => &mut builder,
            other => return Err(format!("there is no flag {other:?}; flags are i, m and s")),
        };
    }
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large; use smaller repetitions".to_owned(),
        error => {
            let text = error.to_string();
            let why = text.rsplit("error: ").next().unwrap_or(&text).replace('\n', " ");
            format!("the pattern cannot be read: {why}")
        }
    })
}

/// The pattern as the library spells it: `\\d`, `\\w` and `\\b` know ASCII only, as in JavaScript (which also keeps the compiled pattern
/// small), and `[`, `&` and `~` inside a class stand for themselves.
fn translated(pattern: &str) -> String {
    let mut made = String::with_capacity(pattern.len() + 16);
    let (mut class, mut chars) = (false, pattern.chars());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match (c, escaped, class) {
            (_, Some('d'), true) => made.push_str("0-9"),
            (_, Some('d'), false) => made.push_str("[0-9]"),
            (_, Some('D'), _) => made.push_str("[^0-9]"),
            (_, Some('w'), true) => made.push_str("0-9A-Za-z_"),
            (_, Some('w'), false) => made.push_str("[0-9A-Za-z_]"),
            (_, Some('W'), _) => made.push_str("[^0-9A-Za-z_]"),
            (_, Some('b'), false) => made.push_str("(?-u:\\b)"),
            (_, Some('/'), _) => made.push('/'),
            (_, Some(other), _) => made.extend(['\\', other]),
            ('[' | '&' | '~', None, true) => made.extend(['\\', c]),
            (_, None, _) => {
                class = if class { c != ']' } else { c == '[' };
                made.push(c);
            }
        }
    }
    made
}

/// The pattern, and the text in which it may be looked for. `flags`: which argument they are.
fn prepare<'e>(args: &mut Args<'_, 'e>, flags: usize) -> Result<(Cow<'e, str>, Arc<Regex>), Stop> {
    let text = args.text(0)?;
    // searching costs up to some nanoseconds a byte
    args.fuel.spend(1 + text.len() as u64)?;
    if let Some(regex) = args.prepared() {
        return Ok((text, Arc::clone(regex)));
    }
    let (pattern, flags) = (args.text(1)?, args.text_or(flags, "")?);
    let key = format!("{flags}/{pattern}");
    if let Some((known, regex)) = &args.fuel.pattern
        && *known == key
    {
        return Ok((text, Arc::clone(regex)));
    }
    args.fuel.spend(COMPILING)?;
    let regex = Arc::new(compile(&pattern, &flags).map_err(|message| args.failed(message))?);
    args.fuel.pattern = Some((key, Arc::clone(&regex)));
    Ok((text, regex))
}

fn matches<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, regex) = prepare(args, 2)?;
    bool_value(regex.is_match(&text))
}

/// The match and its groups; a group that took no part is null.
fn groups<'e>(found: &Captures, args: &mut Args<'_, 'e>) -> Out<'e> {
    let (mut made, mut size) = (Vec::new(), 0);
    for group in found.iter() {
        push(&mut made, Cow::Owned(group.map_or(Value::Null, |group| Value::from(group.as_str()))), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

fn first<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, regex) = prepare(args, 2)?;
    match regex.captures(&text) {
        Some(found) => groups(&found, args),
        None => Ok(Cow::Owned(Value::Null)),
    }
}

fn all<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, regex) = prepare(args, 2)?;
    let (mut made, mut size) = (Vec::new(), 0);
    for found in regex.captures_iter(&text) {
        onwards(&found.get(0).expect("group 0 is the match"), &text, args)?;
        let groups = groups(&found, args)?;
        push(&mut made, groups, &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

/// Looking on after a match may read to the end of the text again and again, so each match pays for some of what is left.
fn onwards(found: &Match, text: &str, args: &mut Args) -> Result<(), Stop> {
    args.fuel.spend(1 + (text.len() - found.end()) as u64 / 64)
}

fn replace<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, regex) = prepare(args, 3)?;
    let to = args.text(2)?;
    let (mut made, mut copied) = (String::new(), 0);
    for found in regex.captures_iter(&text) {
        let whole = found.get(0).expect("group 0 is the match");
        onwards(&whole, &text, args)?;
        words::push(&mut made, &text[copied..whole.start()], args.fuel)?;
        expand(&to, &found, &mut made, args)?;
        copied = whole.end();
    }
    words::push(&mut made, &text[copied..], args.fuel)?;
    text_value(made)
}

/// `$1` to `$99` are groups, `$&` the match, `$$` a dollar.
fn expand(to: &str, found: &Captures, made: &mut String, args: &mut Args) -> Result<(), Stop> {
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        words::push(made, &rest[..at], args.fuel)?;
        let after = &rest[at + 1..];
        let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
        let (piece, taken) = match after.as_bytes().first() {
            Some(b'$') => ("$", 1),
            Some(b'&') => (group(0), 1),
            _ if digits > 0 => (group(after[..digits].parse().expect("one or two digits")), digits),
            _ => ("$", 0),
        };
        words::push(made, piece, args.fuel)?;
        rest = &after[taken..];
    }
    words::push(made, rest, args.fuel)
}

fn split<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, regex) = prepare(args, 2)?;
    let (mut list, mut size, mut copied) = (Vec::new(), 0, 0);
    for found in regex.find_iter(&text) {
        onwards(&found, &text, args)?;
        push(&mut list, Cow::Owned(Value::from(&text[copied..found.start()])), &mut size, args.fuel)?;
        copied = found.end();
    }
    push(&mut list, Cow::Owned(Value::from(&text[copied..])), &mut size, args.fuel)?;
    Ok(Cow::Owned(Value::Array(list)))
}
