//! The operations of `logic.aggregate`, each over the values of one group with their places in the list.

use std::cmp::Ordering;

use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::bounds::kind;
use super::compare::{compare, number};

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Op {
    /// How many values there are.
    Count,
    /// The total of numbers; 0 of none. Exact for integers.
    Sum,
    /// The smallest; null of none.
    Min,
    /// The largest; null of none.
    Max,
    /// The mean of numbers; null of none.
    Avg,
    /// The first item's value; null of none.
    First,
    /// The last item's value; null of none.
    Last,
    /// All values as a list.
    Collect,
}

pub(super) fn apply(op: Op, values: &[(usize, &Value)]) -> Result<Value, Fault> {
    let present = values.iter().filter(|(_, value)| !value.is_null()).copied();
    match op {
        Op::Count => Ok(Value::from(present.count())),
        Op::Sum => Total::of(present)?.sum(),
        Op::Avg => Total::of(present)?.average(),
        Op::Min => extreme(present, Ordering::Less),
        Op::Max => extreme(present, Ordering::Greater),
        Op::First => Ok(values.first().map_or(Value::Null, |(_, value)| (*value).clone())),
        Op::Last => Ok(values.last().map_or(Value::Null, |(_, value)| (*value).clone())),
        Op::Collect => Ok(present.map(|(_, value)| value.clone()).collect()),
    }
}

/// A running total: integers exactly, floats with the lost low digits kept beside (Neumaier), so that order hardly matters.
#[derive(Default)]
struct Total {
    count: usize,
    integers: i128,
    float: f64,
    lost: f64,
    only_integers: bool,
}

impl Total {
    fn of<'a>(values: impl Iterator<Item = (usize, &'a Value)>) -> Result<Total, Fault> {
        let mut total = Total { only_integers: true, ..Total::default() };
        for (index, value) in values {
            match value {
                Value::Number(number) => total.add(number),
                other => {
                    let hint = if other.is_string() { "; make it a number first, as csv_parse does with types: auto" } else { "" };
                    return Err(Fault::invalid_params(format!("item {index} is {}, not a number{hint}", kind(other))));
                }
            }
        }
        Ok(total)
    }

    fn add(&mut self, number: &Number) {
        self.count += 1;
        let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        match (integer, number.as_f64()) {
            (Some(integer), _) => self.integers += integer,
            (None, Some(float)) => {
                self.only_integers = false;
                let sum = self.float + float;
                let (large, small) = if self.float.abs() >= float.abs() { (self.float, float) } else { (float, self.float) };
                self.lost += (large - sum) + small;
                self.float = sum;
            }
            (None, None) => {}
        }
    }

    fn as_float(&self) -> f64 {
        self.float + self.lost + self.integers as f64
    }

    fn sum(&self) -> Result<Value, Fault> {
        let too_large = || Fault::new(Code::INVALID_INPUT, "the sum is larger than a 64-bit number can be");
        if self.only_integers {
            let whole = i64::try_from(self.integers).map(Value::from).or_else(|_| u64::try_from(self.integers).map(Value::from));
            return whole.map_err(|_| too_large());
        }
        number(self.as_float()).ok_or_else(too_large)
    }

    fn average(&self) -> Result<Value, Fault> {
        if self.count == 0 {
            return Ok(Value::Null);
        }
        let count = self.count as f64;
        number(self.as_float() / count).ok_or_else(|| Fault::new(Code::INVALID_INPUT, "the sum is larger than a number can be"))
    }
}

fn extreme<'a>(mut values: impl Iterator<Item = (usize, &'a Value)>, wanted: Ordering) -> Result<Value, Fault> {
    let Some((first, mut best)) = values.next() else { return Ok(Value::Null) };
    if compare(best, best).is_none() {
        return Err(Fault::invalid_params(format!("item {first} is {}, which has no order", kind(best))));
    }
    let sample = best;
    for (index, value) in values {
        match compare(value, best) {
            Some(order) if order == wanted => best = value,
            Some(_) => {}
            None => {
                let message =
                    format!("item {first} is {} and item {index} is {}: these have no order between them", kind(sample), kind(value));
                return Err(Fault::invalid_params(message));
            }
        }
    }
    Ok(best.clone())
}
