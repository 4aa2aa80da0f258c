//! `crypto.jwt_sign`: a JSON Web Token that says what a plan wants to say, for a time.

use std::future::{Future, ready};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::{Code, Fault, duration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jwt_keys::Algorithm;
use crate::logic::bounds::done;

pub(super) struct JwtSign;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    algorithm: Algorithm,
    /// What the token says: sub, iss, aud and whatever the other side knows. iat is now unless written.
    #[serde(default)]
    claims: Map<String, Value>,
    /// For how long it is good: 5m, 1h. exp is written from it; without it the claims need an exp of their own.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number"]))]
    expires_in: Value,
    /// The name of the key (kid), where the other side knows several.
    key_id: Option<String>,
}

/// A token travels in a header.
pub(super) const LARGEST: usize = 32 << 10;

impl TypedAction for JwtSign {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            needs_credential: true,
            output: Some(json!({"type": "string"})),
            example: json!({"algorithm": "HS256", "claims": {"sub": "u-7", "aud": "shop"}, "expires_in": "5m"}),
            ..ActionSpec::of::<Params>("jwt_sign", "Sign a token", "Makes a JSON Web Token, signed with the credential's key.")
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(token(params, cx).and_then(|token| done(Value::String(token))))
    }
}

fn token(params: Params, cx: &Context) -> Result<String, Fault> {
    let now = cx.clock.now().div_euclid(1_000);
    let mut claims = params.claims;
    if !params.expires_in.is_null() {
        let time = duration::parse(&params.expires_in).map_err(|error| Fault::invalid_params(format!("\"expires_in\": {error}")))?;
        if time < Duration::from_secs(1) {
            return Err(Fault::invalid_params("\"expires_in\" is less than a second"));
        }
        claims.insert("exp".to_owned(), Value::from(now + i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2)));
    }
    if !claims.get("exp").is_some_and(Value::is_number) {
        return Err(Fault::invalid_params("a token needs an end: write \"expires_in\", such as 5m, or an \"exp\" among the claims"));
    }
    claims.entry("iat").or_insert_with(|| Value::from(now));
    let mut header = json!({"alg": params.algorithm.name(), "typ": "JWT"});
    if let Some(key) = params.key_id {
        header["kid"] = Value::String(key);
    }
    let text = format!("{}.{}", encoded(&header), encoded(&Value::Object(claims)));
    if text.len() > LARGEST {
        return Err(Fault::new(Code::LIMIT_EXCEEDED, format!("the token is larger than {} KiB; it says too much", LARGEST >> 10)));
    }
    let signed = params.algorithm.sign(text.as_bytes(), cx)?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signed)))
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
