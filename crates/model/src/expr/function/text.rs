//! Methods of text. Places count characters (Unicode scalar values), not JavaScript's UTF-16 units, so no character is ever cut in two.

use std::borrow::Cow;

use serde_json::Value;

use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::{Out, push};
use crate::expr::fuel::Stop;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 20] = [
    Function::new(Of::Text, "trim", "text.trim()", "The text without white space at both ends.", "' a '.trim()", r#""a""#, trim),
    Function::new(
        Of::Text,
        "trimStart",
        "text.trimStart()",
        "The text without white space at its start.",
        "' a '.trimStart()",
        r#""a ""#,
        trim_start,
    ),
    Function::new(
        Of::Text,
        "trimEnd",
        "text.trimEnd()",
        "The text without white space at its end.",
        "' a '.trimEnd()",
        r#"" a""#,
        trim_end,
    ),
    Function::new(Of::Text, "toUpperCase", "text.toUpperCase()", "The text in capitals.", "'aé'.toUpperCase()", r#""AÉ""#, upper),
    Function::new(Of::Text, "toLowerCase", "text.toLowerCase()", "The text in small letters.", "'AÉ'.toLowerCase()", r#""aé""#, lower),
    Function::new(
        Of::Text,
        "toTitleCase",
        "text.toTitleCase()",
        "Each word with a capital first letter.",
        "'jane doe'.toTitleCase()",
        r#""Jane Doe""#,
        title,
    ),
    Function::new(
        Of::Text,
        "split",
        "text.split(separator, limit?)",
        "The pieces between separators; an empty separator gives the characters.",
        "'a,b'.split(',')",
        r#"["a","b"]"#,
        split,
    )
    .takes(1, 2),
    Function::new(Of::Text, "lines", "text.lines()", "The lines, without their ends.", "'a\\nb'.lines()", r#"["a","b"]"#, lines),
    Function::new(
        Of::Text,
        "replace",
        "text.replace(from, to)",
        "The first `from` replaced; `to` is plain text.",
        "'a-b-c'.replace('-', '+')",
        r#""a+b-c""#,
        replace,
    )
    .takes(2, 2),
    Function::new(
        Of::Text,
        "replaceAll",
        "text.replaceAll(from, to)",
        "Every `from` replaced; `to` is plain text.",
        "'a-b-c'.replaceAll('-', '+')",
        r#""a+b+c""#,
        replace_all,
    )
    .takes(2, 2),
    Function::new(
        Of::Text,
        "startsWith",
        "text.startsWith(part)",
        "Whether the text begins with `part`.",
        "'abc'.startsWith('ab')",
        "true",
        starts_with,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "endsWith",
        "text.endsWith(part)",
        "Whether the text ends with `part`.",
        "'abc'.endsWith('bc')",
        "true",
        ends_with,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "substring",
        "text.substring(start, end?)",
        "The characters from start to before end; negative places count as 0.",
        "'hello'.substring(1, 3)",
        r#""el""#,
        substring,
    )
    .takes(1, 2),
    Function::new(
        Of::Text,
        "charAt",
        "text.charAt(place)",
        "The character at a place counted from 0, or an empty text.",
        "'añb'.charAt(1)",
        r#""ñ""#,
        char_at,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "codePointAt",
        "text.codePointAt(place)",
        "The character's number in Unicode, or null.",
        "'A'.codePointAt(0)",
        "65",
        code_point_at,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "padStart",
        "text.padStart(length, fill?)",
        "Filled up at its start to `length` characters.",
        "'7'.padStart(3, '0')",
        r#""007""#,
        pad_start,
    )
    .takes(1, 2),
    Function::new(
        Of::Text,
        "padEnd",
        "text.padEnd(length, fill?)",
        "Filled up at its end to `length` characters.",
        "'7'.padEnd(3, '.')",
        r#""7..""#,
        pad_end,
    )
    .takes(1, 2),
    Function::new(Of::Text, "repeat", "text.repeat(times)", "The text so many times.", "'ab'.repeat(2)", r#""abab""#, repeat).takes(1, 1),
    Function::new(
        Of::Text,
        "truncate",
        "text.truncate(length, end?)",
        "At most `length` characters, `…` or `end` included when something was cut.",
        "'hello world'.truncate(6)",
        r#""hello…""#,
        truncate,
    )
    .takes(1, 2),
    Function::new(
        Of::Text,
        "slug",
        "text.slug()",
        "Small letters and digits joined by hyphens.",
        "'Hello, World!'.slug()",
        r#""hello-world""#,
        slug,
    ),
];

fn part<'e>(args: &mut Args<'_, 'e>, part: fn(&str) -> &str) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    text_value(part(&text))
}

fn trim<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    part(args, str::trim)
}

fn trim_start<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    part(args, str::trim_start)
}

fn trim_end<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    part(args, str::trim_end)
}

fn cased<'e>(args: &mut Args<'_, 'e>, case: fn(&str) -> String) -> Out<'e> {
    let text = args.this_text();
    args.reserve(text.len())?;
    text_value(case(&text))
}

fn upper<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    cased(args, str::to_uppercase)
}

fn lower<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    cased(args, str::to_lowercase)
}

fn title<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    cased(args, |text| {
        let mut inside = false;
        let mut titled = String::with_capacity(text.len());
        for c in text.chars() {
            if inside {
                titled.extend(c.to_lowercase())
            } else {
                titled.extend(c.to_uppercase())
            }
            inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '’'));
        }
        titled
    })
}

fn split<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    let separator = args.text(0)?;
    let limit = usize::try_from(args.int_or(1, i64::MAX)?).unwrap_or(0);
    let mut buffer = [0; 4];
    if separator.is_empty() {
        let characters = text.chars().take(limit);
        let (mut list, mut size) = (Vec::new(), 0);
        for c in characters {
            push(&mut list, Cow::Owned(Value::from(&*c.encode_utf8(&mut buffer))), &mut size, args.fuel)?;
        }
        return Ok(Cow::Owned(Value::Array(list)));
    }
    args.scan(&text)?;
    texts(text.split(&*separator).take(limit), args)
}

/// A list of texts, within the bounds.
pub(super) fn texts<'t, 'e>(texts: impl Iterator<Item = &'t str>, args: &mut Args<'_, 'e>) -> Out<'e> {
    let (mut list, mut size) = (Vec::new(), 0);
    for text in texts {
        push(&mut list, Cow::Owned(Value::from(text)), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(list)))
}

fn lines<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    texts(text.lines(), args)
}

fn replace<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    replaced(args, 1)
}

fn replace_all<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    replaced(args, usize::MAX)
}

fn replaced<'e>(args: &mut Args<'_, 'e>, most: usize) -> Out<'e> {
    let (text, from, to) = (args.this_text(), args.text(0)?, args.text(1)?);
    args.scan(&text)?;
    let mut made = String::new();
    let mut copied = 0;
    for (at, found) in text.match_indices(&*from).take(most) {
        words::push(&mut made, &text[copied..at], args.fuel)?;
        words::push(&mut made, &to, args.fuel)?;
        copied = at + found.len();
    }
    words::push(&mut made, &text[copied..], args.fuel)?;
    text_value(made)
}

fn starts_with<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, part) = (args.this_text(), args.text(0)?);
    bool_value(text.starts_with(&*part))
}

fn ends_with<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, part) = (args.this_text(), args.text(0)?);
    bool_value(text.ends_with(&*part))
}

/// The characters from `start` to before `end`.
pub(super) fn characters(text: &str, start: usize, end: usize) -> &str {
    let place = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    if start >= end { "" } else { &text[place(start)..place(end)] }
}

fn substring<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    let place = |n: i64| usize::try_from(n.max(0)).unwrap_or(usize::MAX);
    let (a, b) = (place(args.int_or(0, 0)?), place(args.int_or(1, i64::MAX)?));
    text_value(characters(&text, a.min(b), a.max(b)))
}

fn nth(args: &mut Args) -> Result<Option<char>, Stop> {
    let text = args.this_text();
    args.scan(&text)?;
    let place = args.int_or(0, 0)?;
    Ok(usize::try_from(place).ok().and_then(|place| text.chars().nth(place)))
}

fn char_at<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    text_value(nth(args)?.map_or(String::new(), String::from))
}

fn code_point_at<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    Ok(Cow::Owned(nth(args)?.map_or(Value::Null, |c| Value::from(u32::from(c)))))
}

fn pad_start<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    padded(args, true)
}

fn pad_end<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    padded(args, false)
}

fn padded<'e>(args: &mut Args<'_, 'e>, start: bool) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    let length = usize::try_from(args.int_or(0, 0)?).unwrap_or(0);
    let fill = args.text_or(1, " ")?;
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 || fill.is_empty() {
        return text_value(text);
    }
    args.reserve(text.len().saturating_add(missing.saturating_mul(fill.chars().next().map_or(1, char::len_utf8))))?;
    let padding: String = fill.chars().cycle().take(missing).collect();
    args.reserve(text.len() + padding.len())?;
    text_value(if start { padding + &text } else { text.into_owned() + &padding })
}

fn repeat<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, times) = (args.this_text(), args.int_or(0, 0)?);
    let Ok(times) = usize::try_from(times) else {
        return Err(args.failed(format!("{times} is less than 0")));
    };
    args.reserve(text.len().saturating_mul(times))?;
    text_value(text.repeat(if text.is_empty() { 0 } else { times }))
}

fn truncate<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    let (length, end) = (usize::try_from(args.int_or(0, 0)?).unwrap_or(0), args.text_or(1, "…")?);
    if text.chars().count() <= length {
        return text_value(text);
    }
    let kept = characters(&text, 0, length.saturating_sub(end.chars().count())).trim_end();
    args.reserve(kept.len() + end.len())?;
    text_value(format!("{kept}{end}"))
}

fn slug<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    cased(args, |text| {
        let mut slug = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') && !matches!(c, '\'' | '’') {
                slug.push('-');
            }
        }
        slug.truncate(slug.trim_end_matches('-').len());
        slug
    })
}
