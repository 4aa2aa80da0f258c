//! `transform.hex_decode`: the text that hexadecimal digits stand for.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct HexDecode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Hexadecimal digits of UTF-8 text, in pairs; spaces, line breaks and colons between them are passed over.
    text: String,
}

impl Pure for HexDecode {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "4772c3bcc39f65"}),
            ..ActionSpec::of::<Params>("hex_decode", "Decode hex", "Reads the text that hexadecimal digits stand for.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut bytes = Vec::with_capacity(params.text.len() / 2);
        let mut half = None;
        for (place, letter) in params.text.chars().enumerate() {
            if letter.is_ascii_whitespace() || letter == ':' {
                continue;
            }
            let digit = letter.to_digit(16).ok_or_else(|| invalid_input(format!("character {} is no hexadecimal digit", place + 1)))?;
            match half.take() {
                None => half = Some(digit),
                Some(first) => bytes.push((first << 4 | digit) as u8),
            }
        }
        if half.is_some() {
            return Err(invalid_input("there is half a byte too much: the number of digits is odd"));
        }
        String::from_utf8(bytes).map(Value::String).map_err(|_| invalid_input("the digits do not hold UTF-8 text"))
    }
}
