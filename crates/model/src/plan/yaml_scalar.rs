//! What a plain YAML scalar means: the core schema of YAML 1.2, less what JSON cannot hold.

use serde_json::{Number, Value};

/// What a plain scalar is.
pub(crate) enum Plain {
    Value(Value),
    /// A number that 64 bits do not hold, or `.inf`, `.nan`.
    OutOfRange,
}

/// Reads a scalar that stands without quotes. Whatever looks like a number with a leading zero is text, as are `yes`, `on` and dates.
pub(crate) fn plain(text: &str) -> Plain {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => return number(text).unwrap_or_else(|| Plain::Value(Value::String(text.to_owned()))),
    };
    Plain::Value(value)
}

fn number(text: &str) -> Option<Plain> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Plain::OutOfRange);
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let some_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    if !some_digits || !all_digits(whole) || !fraction.is_none_or(all_digits) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        let number = if negative {
            format!("-{digits}").parse::<i64>().ok().map(Number::from)
        } else {
            digits.parse::<u64>().ok().map(Number::from)
        };
        return Some(number.map_or(Plain::OutOfRange, |number| Plain::Value(Value::Number(number))));
    }
    let value: f64 = format!("{}{digits}", if negative { "-" } else { "" }).parse().ok()?;
    Some(Number::from_f64(value).map_or(Plain::OutOfRange, |number| Plain::Value(Value::Number(number))))
}
