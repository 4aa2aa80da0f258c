//! `crypto.hmac_verify`: whether text comes from who knows the secret, compared in constant time.

use std::future::{Future, ready};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::hmac::{Algorithm, is_signed};
use super::secret::unhex;
use crate::logic::bounds::done;
use crate::written_bytes::Encoding;

pub(super) struct HmacVerify;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    #[serde(default)]
    algorithm: Algorithm,
    /// The text as it was signed, to the byte.
    text: String,
    /// The signature that came with it, without a prefix such as sha256=.
    signature: String,
    #[serde(default)]
    encoding: Encoding,
}

const DECODER: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

impl TypedAction for HmacVerify {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            needs_credential: true,
            output: Some(json!({"type": "boolean"})),
            example: json!({"text": "order=7&total=42", "signature": "5d41402abc4b2a76b9719d911017c592"}),
            ..ActionSpec::of::<Params>("hmac_verify", "Check HMAC", "Says whether a signature was made with the credential's secret.")
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(verified(&params, cx).and_then(|valid| done(Value::Bool(valid))))
    }
}

/// A signature that cannot be read is none: whoever guesses learns nothing from how it is refused.
fn verified(params: &Params, cx: &Context) -> Result<bool, Fault> {
    let signature = match params.encoding {
        Encoding::Hex => unhex(&params.signature),
        Encoding::Base64 => DECODER.decode(params.signature.trim()).ok(),
    };
    is_signed(params.algorithm, &params.text, &signature.unwrap_or_default(), cx)
}
