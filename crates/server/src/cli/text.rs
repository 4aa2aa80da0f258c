//! One-line texts for people: what strangers wrote made safe for a terminal, cut to length, and times in words.

use std::borrow::Cow;

use mainspring_model::clock::Millis;
use mainspring_model::value;
use serde_json::Value;

/// The text in one line, without anything that a terminal obeys: step outputs and error messages come from strangers.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let safe = |c: char| match c {
        '\n' => '⏎',
        '\t' => ' ',
        '\r' => '␍',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    };
    Cow::Owned(text.chars().map(safe).collect())
}

/// As [`plain`], but lines stay lines.
pub(crate) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Control characters, and the ones that turn the direction of what follows.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// At most `most` characters; a cut is marked.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A value in one safe line.
pub(crate) fn preview(value: &Value, most: usize) -> String {
    short(&plain(&value::preview(value, most + 1)), most)
}

/// `840 µs`, `12 ms`, `1.2 s`, `3 min 5 s`.
pub(crate) fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        _ => span(i64::try_from(us / 1_000).unwrap_or(i64::MAX)),
    }
}

/// A length of time in its two largest units: `800 ms`, `59 s`, `5 min`, `2 h 10 min`, `3 d 4 h`.
pub(crate) fn span(millis: Millis) -> String {
    let seconds = millis / 1_000;
    let two = |large: i64, unit: &str, small: i64, part: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {part}"),
    };
    match seconds {
        ..=0 => format!("{} ms", millis.max(0)),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A moment in UTC, to the second: `2026-03-01 09:00:00Z`.
pub(crate) fn moment(at: Millis) -> String {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => format!("{at} ms"),
    }
}

/// The same from an answer's field, which is RFC 3339 text (or Unix milliseconds); empty for nothing.
pub(crate) fn moment_of(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_i64().map(moment).unwrap_or_default(),
        Value::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(at) => moment(at.as_millisecond()),
            Err(_) => plain(text).into_owned(),
        },
        _ => String::new(),
    }
}

/// Unix milliseconds of such a field.
pub(crate) fn millis_of(value: &Value) -> Option<Millis> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()),
        _ => None,
    }
}

/// `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 problem`, `2 problems`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", count(number as u64)) }
}

/// `cron, webhook`: each once.
pub(crate) fn text_list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    seen.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_strangers_write_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\td\u{202e}e\u{7}"), "a\u{fffd}[2Jb⏎c d\u{fffd}e\u{fffd}");
        assert_eq!(plain_lines("a\u{1b}\nb"), "a\u{fffd}\nb");
        assert_eq!(preview(&json!({"a": "x\u{1b}y", "b": [1, 2]}), 12), "{\"a\":\"x\\u00…");
        assert_eq!(preview(&json!("éèê"), 3), "éèê");
    }

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!([900, 1_500, 12_000, 1_240_000, 185_000_000].map(latency), ["900 µs", "1.5 ms", "12 ms", "1.2 s", "3 min 5 s"]);
        assert_eq!([0, 1_000, 60_000, 7_800_000, 273_600_000].map(span), ["0 ms", "1 s", "1 min", "2 h 10 min", "3 d 4 h"]);
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(moment_of(&json!("2026-03-01T09:00:00.123Z")), "2026-03-01 09:00:00Z");
        assert_eq!(moment_of(&Value::Null), "");
        assert_eq!(
            (count(1_204_000), plural(1, "plan"), plural(2_000, "plan")),
            ("1,204,000".into(), "1 plan".into(), "2,000 plans".into())
        );
    }
}
