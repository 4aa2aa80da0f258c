//! The operators: strict equality by content, order within one type, exact integers, and `+` that joins text.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::eval::Out;
use super::fuel::{Fuel, Stop};
use super::number::{self, Num, num};
use super::tree::Operator;
use super::words;

pub(super) fn apply<'e>(operator: Operator, left: Cow<'e, Value>, right: &Value, fuel: &mut Fuel) -> Out<'e> {
    let value = match operator {
        Operator::Equal => Value::Bool(equal(&left, right, fuel)?),
        Operator::Unequal => Value::Bool(!equal(&left, right, fuel)?),
        Operator::Less => Value::Bool(order(operator.text(), &left, right, fuel)?.is_lt()),
        Operator::LessEqual => Value::Bool(order(operator.text(), &left, right, fuel)?.is_le()),
        Operator::Greater => Value::Bool(order(operator.text(), &left, right, fuel)?.is_gt()),
        Operator::GreaterEqual => Value::Bool(order(operator.text(), &left, right, fuel)?.is_ge()),
        Operator::In => Value::Bool(has_key(&left, right)?),
        Operator::Add if left.is_string() || right.is_string() => join(left, right, fuel)?,
        operator => match (&*left, right) {
            (Value::Number(a), Value::Number(b)) => arithmetic(operator, num(a), num(b))?,
            (a, b) => return Err(no_numbers(operator, a, b)),
        },
    };
    Ok(Cow::Owned(value))
}

/// Equality by content; 1 equals 1.0.
pub(crate) fn equal(a: &Value, b: &Value, fuel: &mut Fuel) -> Result<bool, Stop> {
    fuel.spend(1)?;
    Ok(match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::compare(num(a), num(b)).is_eq(),
        (Value::String(a), Value::String(b)) => {
            fuel.spend(a.len().min(b.len()) as u64 / 64)?;
            a == b
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !equal(a, b, fuel)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, a) in a {
                match b.get(key) {
                    Some(b) if equal(a, b, fuel)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        _ => false,
    })
}

/// The order of two numbers or two texts (by character); anything else has none.
pub(crate) fn order(what: &str, a: &Value, b: &Value, fuel: &mut Fuel) -> Result<Ordering, Stop> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(number::compare(num(a), num(b))),
        (Value::String(a), Value::String(b)) => {
            fuel.spend(a.len().min(b.len()) as u64 / 64)?;
            Ok(a.cmp(b))
        }
        _ => {
            let hint = match (a, b) {
                (Value::String(_), Value::Number(_)) | (Value::Number(_), Value::String(_)) => "; write Number(x) or String(x)",
                (Value::Null, _) | (_, Value::Null) => "; write `x ?? 0`",
                _ => "",
            };
            Err(Stop::failed(format!("`{what}` compares two numbers or two texts, not {} with {}{hint}", words::kind(a), words::kind(b))))
        }
    }
}

fn has_key(key: &Value, object: &Value) -> Result<bool, Stop> {
    match (key, object) {
        (Value::String(key), Value::Object(fields)) => Ok(fields.contains_key(key)),
        (Value::Number(key), Value::Object(fields)) => Ok(fields.contains_key(&words::number_text(key))),
        (_, Value::Object(_)) => Err(Stop::failed(format!("`in` tests a key of an object, a text; this key is {}", words::kind(key)))),
        (_, other) => {
            let hint = if other.is_array() || other.is_string() { "; write y.includes(x)" } else { "" };
            Err(Stop::failed(format!("`x in y` tests a key of an object; y is {}{hint}", words::kind(other))))
        }
    }
}

fn join(left: Cow<Value>, right: &Value, fuel: &mut Fuel) -> Result<Value, Stop> {
    let mut text = match left {
        // what was made before is added to, not copied
        Cow::Owned(Value::String(text)) => text,
        left => words::text_of(&left, fuel)?,
    };
    words::push_value(&mut text, right, fuel)?;
    Ok(Value::String(text))
}

fn no_numbers(operator: Operator, a: &Value, b: &Value) -> Stop {
    let (side, wrong) = if a.is_number() { ("right", b) } else { ("left", a) };
    let hint = match wrong {
        Value::String(_) => "; write Number(x)",
        Value::Null => "; write `x ?? 0`",
        Value::Array(_) if operator == Operator::Add => "; lists are joined by a.concat(b) or [...a, ...b]",
        Value::Object(_) if operator == Operator::Add => "; objects are joined by {...a, ...b}",
        _ => "",
    };
    let takes = if operator == Operator::Add { "numbers or text" } else { "numbers" };
    Stop::failed(format!("`{}` takes {takes}; its {side} side is {}{hint}", operator.text(), words::kind(wrong)))
}

fn arithmetic(operator: Operator, a: Num, b: Num) -> Result<Value, Stop> {
    let what = operator.text();
    if let (Num::Int(a), Num::Int(b)) = (a, b) {
        let exact = match operator {
            Operator::Add => Some(a + b),
            Operator::Subtract => Some(a - b),
            Operator::Multiply => Some(a.checked_mul(b).ok_or_else(|| number::overflow(what))?),
            Operator::Divide | Operator::Remainder if b == 0 => return Err(Stop::failed(format!("`{what}` by zero has no result"))),
            Operator::Divide => (a % b == 0).then(|| a / b),
            Operator::Remainder => Some(a % b),
            Operator::Power if b >= 0 => {
                let power = u32::try_from(b).ok().and_then(|b| a.checked_pow(b));
                Some(power.or_else(|| power_of_unit(a, b)).ok_or_else(|| number::overflow(what))?)
            }
            _ => None,
        };
        if let Some(exact) = exact {
            return number::from_int(exact).ok_or_else(|| number::overflow(what));
        }
    }
    let (a, b) = (a.float(), b.float());
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::Remainder if b == 0.0 => return Err(Stop::failed(format!("`{what}` by zero has no result"))),
        Operator::Divide => a / b,
        Operator::Remainder => a % b,
        _ => a.powf(b),
    };
    number::from_float(result, what)
}

/// 0, 1 and -1 have powers of any size.
fn power_of_unit(a: i128, b: i128) -> Option<i128> {
    match a {
        0 | 1 => Some(a),
        -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
        _ => None,
    }
}

pub(super) fn negate<'e>(value: &Value) -> Out<'e> {
    match value {
        Value::Number(number) => match num(number) {
            Num::Int(value) => number::from_int(-value).map(Cow::Owned).ok_or_else(|| number::overflow("-")),
            Num::Float(value) => number::from_float(-value, "-").map(Cow::Owned),
        },
        other => Err(Stop::failed(format!("`-` takes numbers; this is {}", words::kind(other)))),
    }
}
