//! What a CSV cell stands for, and how a value is written into one.

use std::borrow::Cow;

use mainspring_model::Fault;
use serde_json::{Number, Value};

/// The delimiter as a byte: one ASCII character, or the word "tab".
pub(crate) fn delimiter(text: &str) -> Result<u8, Fault> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => {
            Err(Fault::invalid_params(format!("\"delimiter\" must be one ASCII character such as , or ;, or the word tab; it is {text:?}")))
        }
    }
}

/// A cell's value where types are guessed: null, boolean, number, or the text itself.
///
/// A number is only what no reader could mean as a name: no leading zero or plus (postcodes, telephone numbers), no exponent
/// (article 1E5), at most 15 digits where there is a fraction, and no integer that does not fit 64 bits.
pub(crate) fn guess(cell: &str) -> Value {
    match cell {
        "" => Value::Null,
        "true" | "TRUE" | "True" => Value::Bool(true),
        "false" | "FALSE" | "False" => Value::Bool(false),
        _ => number(cell).map_or_else(|| Value::from(cell), Value::Number),
    }
}

fn number(cell: &str) -> Option<Number> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || cell == "-0" {
        return None;
    }
    match fraction {
        None => cell.parse::<i64>().map(Number::from).or_else(|_| cell.parse::<u64>().map(Number::from)).ok(),
        Some(fraction) if all_digits(fraction) && whole.len() + fraction.len() <= 15 => cell.parse().ok().and_then(Number::from_f64),
        Some(_) => None,
    }
}

/// The text of a value in a cell, as a template puts it into text.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Writes a cell, in quotes where it needs them. `alone` is a row's only cell: empty, it would be an empty line, which no
/// reader takes for a row.
pub(super) fn write(cell: &str, delimiter: u8, alone: bool, into: &mut String) {
    let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    let spaced = cell.starts_with([' ', '\u{feff}']) || cell.ends_with(' ');
    if cell.bytes().any(special) || spaced || (alone && cell.is_empty()) {
        into.push('"');
        into.push_str(&cell.replace('"', "\"\""));
        into.push('"');
    } else {
        into.push_str(cell);
    }
}
