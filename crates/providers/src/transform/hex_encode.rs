//! `transform.hex_encode`: text as hexadecimal digits of its UTF-8.

use std::fmt::Write;

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::pure::Pure;

pub(super) struct HexEncode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
}

impl Pure for HexEncode {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "Grüße"}),
            ..ActionSpec::of::<Params>("hex_encode", "Encode hex", "Writes text as hexadecimal digits.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut digits = String::with_capacity(params.text.len() * 2);
        for byte in params.text.bytes() {
            // Text takes everything.
            write!(digits, "{byte:02x}").ok();
        }
        Ok(Value::String(digits))
    }
}
