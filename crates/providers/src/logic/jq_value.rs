//! Values of plans as values of jq, and back.

use jaq_json::{Map, Num, Val};
use mainspring_model::{Code, Fault};
use serde_json::{Number, Value};

use super::bounds::Weight;

/// As deep as expressions may build.
const DEEPEST: usize = 128;

pub(super) fn of_json(value: Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(bool) => Val::Bool(bool),
        Value::Number(number) => Val::Num(of_number(&number)),
        Value::String(text) => Val::utf8_str(text),
        Value::Array(items) => items.into_iter().map(of_json).collect(),
        Value::Object(fields) => {
            let fields: Map = fields.into_iter().map(|(name, value)| (Val::utf8_str(name), of_json(value))).collect();
            Val::obj(fields)
        }
    }
}

fn of_number(number: &Number) -> Num {
    match (number.as_i64(), number.as_u64()) {
        (Some(small), _) => Num::from_integral(small),
        (None, Some(large)) => Num::from_integral(large),
        _ => Num::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// Counts as it goes: parts that a value holds many times over are written out each time.
pub(super) fn to_json(value: &Val, weight: &mut Weight) -> Result<Value, Fault> {
    written(value, DEEPEST, weight)
}

fn written(value: &Val, deep: usize, weight: &mut Weight) -> Result<Value, Fault> {
    weight.add_bytes(4)?;
    let Some(deep) = deep.checked_sub(1) else {
        return Err(Fault::new(Code::LIMIT_EXCEEDED, format!("the result nests deeper than {DEEPEST} levels")));
    };
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(bool) => Value::Bool(*bool),
        Val::Num(number) => Value::Number(number_of(number)?),
        Val::TStr(_) | Val::BStr(_) => Value::String(text(value, weight)?),
        Val::Arr(items) => items.iter().map(|item| written(item, deep, weight)).collect::<Result<_, _>>()?,
        Val::Obj(fields) => {
            let mut object = serde_json::Map::new();
            for (name, value) in fields.iter() {
                if !matches!(name, Val::TStr(_)) {
                    return Err(invalid("the result has an object with a key that is no text"));
                }
                object.insert(text(name, weight)?, written(value, deep, weight)?);
            }
            Value::Object(object)
        }
    })
}

fn text(value: &Val, weight: &mut Weight) -> Result<String, Fault> {
    let (Val::TStr(bytes) | Val::BStr(bytes)) = value else { return Ok(String::new()) };
    weight.add_bytes(bytes.len())?;
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid("the result holds text that is not UTF-8"))
}

fn number_of(number: &Num) -> Result<Number, Fault> {
    let shown = || number.to_string();
    match number {
        Num::Int(small) => Ok(Number::from(*small as i64)),
        // As elsewhere: whole numbers are exact to 64 bits, and what is larger is refused rather than rounded.
        Num::BigInt(large) => large.to_string().parse::<u64>().map(Number::from).map_err(|_| {
            let digits = large.bits() as f64 * std::f64::consts::LOG10_2;
            invalid(&format!("the result holds a whole number of about {} digits; 64 bits hold 19", digits.ceil()))
        }),
        Num::Float(float) => {
            Number::from_f64(*float).ok_or_else(|| invalid(&format!("the result holds {}, which is no JSON number", shown())))
        }
        Num::Dec(decimal) => {
            let float = decimal.parse::<f64>().ok().and_then(Number::from_f64);
            float.ok_or_else(|| invalid("the result holds a number that is too large"))
        }
    }
}

fn invalid(message: &str) -> Fault {
    Fault::new(Code::INVALID_INPUT, message)
}
