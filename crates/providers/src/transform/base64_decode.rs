//! `transform.base64_decode`: reads text from base64, in either alphabet, padded or not.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct Base64Decode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Base64 of UTF-8 text; line breaks and spaces in it are passed over.
    text: String,
}

const DECODER: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

impl Pure for Base64Decode {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "R3LDvMOfZQ=="}),
            ..ActionSpec::of::<Params>("base64_decode", "Decode base64", "Reads the text that base64 stands for.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        // One alphabet for the decoder: mail and URLs spell the same two digits in two ways.
        let standard = |byte: u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        let digits: Vec<u8> = params.text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
        let bytes = DECODER.decode(digits).map_err(|error| invalid_input(format!("the text is not base64: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| invalid_input("the base64 does not hold UTF-8 text"))?;
        Ok(Value::String(text))
    }
}
