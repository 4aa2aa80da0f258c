//! Equality and order of JSON values as expressions have them: by content, 1 equal to 1.0, numbers never rounded.

use std::cmp::Ordering;
use std::fmt::Write;

use serde_json::{Number, Value};

/// Text that two values share exactly when they are equal, so that a hash map can find equals.
pub(crate) fn content_key(value: &Value) -> String {
    let mut key = String::new();
    write_key(value, &mut key);
    key
}

fn write_key(value: &Value, key: &mut String) {
    match value {
        Value::Number(number) => match whole(number) {
            Some(whole) => _ = write!(key, "{whole}"),
            None => _ = write!(key, "{number}"),
        },
        Value::Array(items) => {
            key.push('[');
            for item in items {
                write_key(item, key);
                key.push(',');
            }
            key.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            key.push('{');
            for (name, item) in names {
                _ = write!(key, "{name:?}:");
                write_key(item, key);
                key.push(',');
            }
            key.push('}');
        }
        Value::String(text) => _ = write!(key, "{text:?}"),
        Value::Null | Value::Bool(_) => _ = write!(key, "{value}"),
    }
}

/// The number as an integer, when it is one: 64-bit integers and floats without a fraction.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    // Above 2^100 a float is whole anyway and stays told apart by its own digits.
    number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e30).map(|float| float as i128)
}

/// Exact, also between an integer above 2^53 and a float.
pub(crate) fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_mixed(a, b.as_f64().unwrap_or(f64::NAN)),
        (None, Some(b)) => compare_mixed(b, a.as_f64().unwrap_or(f64::NAN)).reverse(),
        (None, None) => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
    }
}

fn compare_mixed(whole: i128, float: f64) -> Ordering {
    let fraction = if float.fract() > 0.0 { Ordering::Less } else { Ordering::Greater };
    whole.cmp(&(float.trunc() as i128)).then(fraction)
}

/// A float as a JSON number, an integer where it is one (`2`, not `2.0`); `None` when it is none.
pub(crate) fn number(float: f64) -> Option<Value> {
    if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 {
        return Some(Value::from(float as i64));
    }
    Number::from_f64(float).map(Value::Number)
}

/// The order of two values of one type; `None` when they have none: different types, lists, objects.
pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => Some(compare_numbers(a, b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
