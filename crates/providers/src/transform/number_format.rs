//! `transform.number_format`: writes a number for people: decimals, thousands, rounding as on paper.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::kind;
use crate::logic::pure::Pure;

pub(super) struct NumberFormat;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A number, or text that is one, such as "1234.5".
    #[schemars(extend("type" = ["number", "string"]))]
    number: Value,
    /// Digits after the point; halves are rounded away from zero, as on paper.
    #[serde(default = "two")]
    #[schemars(range(max = 30))]
    decimals: u32,
    /// What separates thousands; empty for nothing.
    #[serde(default = "comma")]
    thousands: String,
    /// What stands before the decimals.
    #[serde(default = "dot")]
    point: String,
}

const MAX_DECIMALS: u32 = 30;

fn two() -> u32 {
    2
}

fn comma() -> String {
    ",".to_owned()
}

fn dot() -> String {
    ".".to_owned()
}

impl Pure for NumberFormat {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"number": 1234567.005, "decimals": 2}),
            ..ActionSpec::of::<Params>("number_format", "Format number", "Writes a number with fixed decimals and separated thousands.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if params.decimals > MAX_DECIMALS {
            return Err(Fault::invalid_params(format!("\"decimals\" must be from 0 to {MAX_DECIMALS}; it is {}", params.decimals)));
        }
        let (negative, whole, fraction) = digits(&params.number)?;
        let (whole, fraction) = rounded(whole, fraction, params.decimals as usize);
        let zero = whole.iter().chain(&fraction).all(|digit| *digit == b'0');
        let mut text = String::from(if negative && !zero { "-" } else { "" });
        for (place, digit) in whole.iter().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push_str(&params.thousands);
            }
            text.push(char::from(*digit));
        }
        if !fraction.is_empty() {
            text.push_str(&params.point);
            text.extend(fraction.iter().copied().map(char::from));
        }
        Ok(Value::String(text))
    }
}

/// Sign, digits before and after the point, as they are written: 1.005 is rounded as the text says, not as the float below it.
fn digits(number: &Value) -> Result<(bool, Vec<u8>, Vec<u8>), Fault> {
    let text = match number {
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        other => return Err(Fault::invalid_params(format!("\"number\" must be a number; it is {}", kind(other)))),
    };
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || text.len() > 400 {
        let shown: String = text.chars().take(40).collect();
        return Err(Fault::invalid_params(format!("\"number\" is \"{shown}\", not a number such as 1234.5")));
    }
    Ok((negative, whole.trim_start_matches('0').bytes().collect(), fraction.bytes().collect()))
}

fn rounded(mut whole: Vec<u8>, mut fraction: Vec<u8>, decimals: usize) -> (Vec<u8>, Vec<u8>) {
    let up = fraction.get(decimals).is_some_and(|digit| *digit >= b'5');
    fraction.resize(decimals, b'0');
    if up {
        let carried = fraction.iter_mut().rev().chain(whole.iter_mut().rev()).all(|digit| {
            *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
            *digit == b'0'
        });
        if carried {
            whole.insert(0, b'1');
        }
    }
    if whole.is_empty() {
        whole.push(b'0');
    }
    (whole, fraction)
}
