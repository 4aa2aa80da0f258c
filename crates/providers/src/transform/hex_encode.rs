//! `transform.hex_encode`: text as hexadecimal digits of its UTF-8.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::pure::Pure;
use crate::written_bytes::Encoding;

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
        Ok(Value::String(Encoding::Hex.write(params.text.as_bytes())))
    }
}
