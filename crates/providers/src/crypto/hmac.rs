//! `crypto.hmac`: what proves that text comes from who knows the secret.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::secret::secret;
use crate::logic::bounds::done;
use crate::written_bytes::Encoding;

pub(super) struct Hmac;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    #[serde(default)]
    algorithm: Algorithm,
    /// The text, signed as UTF-8. The secret comes from the credential.
    text: String,
    #[serde(default)]
    encoding: Encoding,
}

/// Which digest. SHA-1 is for services that ask for it.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Algorithm {
    Sha1,
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    pub(super) fn key(self, secret: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha384 => hmac::HMAC_SHA384,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret)
    }
}

impl TypedAction for Hmac {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            needs_credential: true,
            output: Some(json!({"type": "string"})),
            example: json!({"text": "order=7&total=42", "encoding": "hex"}),
            ..ActionSpec::of::<Params>("hmac", "Sign by HMAC", "Signs text with the credential's secret.")
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(secret(cx).and_then(|secret| done(Value::String(signed(&params, &secret)))))
    }
}

fn signed(params: &Params, secret: &[u8]) -> String {
    let tag = hmac::sign(&params.algorithm.key(secret), params.text.as_bytes());
    params.encoding.write(tag.as_ref())
}

/// For `hmac_verify`, which has the same params and one more.
pub(super) fn is_signed(algorithm: Algorithm, text: &str, signature: &[u8], cx: &Context) -> Result<bool, Fault> {
    Ok(hmac::verify(&algorithm.key(&secret(cx)?), text.as_bytes(), signature).is_ok())
}
