//! Values as words: the template rule (null is empty, lists and objects are compact JSON), and how messages call them.

use std::fmt::Write;

use serde_json::{Number, Value};

use super::fuel::{Fuel, Stop};

/// Adds `piece` to a text that is being made, within the bounds.
pub(crate) fn push(text: &mut String, piece: &str, fuel: &mut Fuel) -> Result<(), Stop> {
    fuel.produce(piece.len(), text.len() + piece.len())?;
    text.push_str(piece);
    Ok(())
}

/// Adds a value to a text by the template rule.
pub(crate) fn push_value(text: &mut String, value: &Value, fuel: &mut Fuel) -> Result<(), Stop> {
    match value {
        Value::Null => Ok(()),
        Value::String(piece) => push(text, piece, fuel),
        Value::Bool(value) => push(text, if *value { "true" } else { "false" }, fuel),
        Value::Number(number) => push(text, &number_text(number), fuel),
        Value::Array(_) | Value::Object(_) => {
            fuel.weigh(value)?;
            push(text, &value.to_string(), fuel)
        }
    }
}

/// The text of a value by the template rule.
pub(crate) fn text_of(value: &Value, fuel: &mut Fuel) -> Result<String, Stop> {
    let mut text = String::new();
    push_value(&mut text, value, fuel)?;
    Ok(text)
}

/// A number as JavaScript writes it: `1` for 1.0, an exponent only beyond 21 digits or below 0.000001.
pub(crate) fn number_text(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let value = number.as_f64().expect("a JSON number is an integer or a float");
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    format!("{}", value + 0.0)
}

/// What a value is, in words that fit "this is …".
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// At most `most` characters, with `…` for the rest.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Up to ten names in quotes.
pub(crate) fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 10;
    let mut text = String::new();
    let mut more = 0;
    for (i, name) in names.enumerate() {
        if i < MOST {
            let _ = write!(text, "{}{:?}", if i == 0 { "" } else { ", " }, shorten(name, 40));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}
