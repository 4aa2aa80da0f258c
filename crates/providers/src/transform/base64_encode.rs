//! `transform.base64_encode`: writes text as base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::pure::Pure;

pub(super) struct Base64Encode;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// True: the alphabet for URLs (- and _) without padding.
    #[serde(default)]
    url_safe: bool,
}

impl Pure for Base64Encode {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "Grüße"}),
            ..ActionSpec::of::<Params>("base64_encode", "Encode base64", "Writes the UTF-8 bytes of text as base64.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let text = if params.url_safe { URL_SAFE_NO_PAD.encode(params.text) } else { STANDARD.encode(params.text) };
        Ok(Value::String(text))
    }
}
