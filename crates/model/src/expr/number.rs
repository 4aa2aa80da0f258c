//! Numbers: integers exact to 64 bits, everything else a double; no result that JSON cannot hold.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::fuel::Stop;

/// A number as it is reckoned with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Num {
    /// Within i64 or u64.
    Int(i128),
    Float(f64),
}

/// Below this, every integer has a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(crate) fn num(number: &Number) -> Num {
    if let Some(value) = number.as_i64() {
        Num::Int(value.into())
    } else if let Some(value) = number.as_u64() {
        Num::Int(value.into())
    } else {
        Num::Float(number.as_f64().expect("a JSON number is an integer or a float"))
    }
}

impl Num {
    pub(crate) fn float(self) -> f64 {
        match self {
            Num::Int(value) => value as f64,
            Num::Float(value) => value,
        }
    }

    /// The whole number it is, if it is one and fits.
    pub(crate) fn int(self) -> Option<i128> {
        match self {
            Num::Int(value) => Some(value),
            Num::Float(value) if value.fract() == 0.0 && value.abs() <= EXACT => Some(value as i128),
            Num::Float(_) => None,
        }
    }
}

/// A value that is a whole number 0 or more, as a place in a list.
pub(crate) fn index(value: &Value) -> Option<usize> {
    let Value::Number(number) = value else { return None };
    usize::try_from(num(number).int()?).ok()
}

/// A double as a value: whole numbers become integers, so that 6 / 2 is 3.
pub(crate) fn from_float(value: f64, what: &str) -> Result<Value, Stop> {
    if !value.is_finite() {
        let result = if value.is_nan() { "no number" } else { "infinite" };
        return Err(Stop::failed(format!("the result of `{what}` is {result}, which JSON cannot hold")));
    }
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Ok(Value::from(value as i64));
    }
    Ok(Value::from(value))
}

/// An integer as a value, when it fits 64 bits.
pub(crate) fn from_int(value: i128) -> Option<Value> {
    i64::try_from(value).map(Value::from).or_else(|_| u64::try_from(value).map(Value::from)).ok()
}

pub(crate) fn overflow(what: &str) -> Stop {
    Stop::failed(format!(
        "the result of `{what}` does not fit a 64-bit integer; integers are exact here, so scale the numbers down first (`x / 1000`) or keep them as text"
    ))
}

/// The exact order of two numbers, also between an integer and a double.
pub(crate) fn compare(a: Num, b: Num) -> Ordering {
    match (a, b) {
        (Num::Int(a), Num::Int(b)) => a.cmp(&b),
        (Num::Float(a), Num::Float(b)) => a.partial_cmp(&b).expect("JSON holds no NaN"),
        (Num::Int(a), Num::Float(b)) => compare_mixed(a, b),
        (Num::Float(a), Num::Int(b)) => compare_mixed(b, a).reverse(),
    }
}

fn compare_mixed(a: i128, b: f64) -> Ordering {
    if b.abs() >= 1e30 {
        return if b > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let whole = b.trunc();
    a.cmp(&(whole as i128)).then(0.0.partial_cmp(&(b - whole)).expect("JSON holds no NaN"))
}
