//! `crypto.jwt_verify`: what a JSON Web Token says, once it is proved by the algorithm that the step names.

use std::future::{Future, ready};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::Code;
use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jwt_keys::Algorithm;
use super::jwt_sign::LARGEST;
use crate::logic::bounds::done;

pub(super) struct JwtVerify;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    algorithm: Algorithm,
    /// The token, without Bearer before it.
    token: String,
    /// Who must have made it (iss).
    issuer: Option<String>,
    /// For whom it must be (aud). A token that names an audience is refused when this is not written.
    audience: Option<String>,
    /// By how many seconds clocks may differ.
    #[serde(default = "minute")]
    #[schemars(range(min = 0, max = 600))]
    leeway: u16,
}

fn minute() -> u16 {
    60
}

impl TypedAction for JwtVerify {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            needs_credential: true,
            output: Some(json!({"type": "object", "description": "The claims."})),
            example: json!({"algorithm": "RS256", "token": "${trigger.headers.authorization.replace('Bearer ', '')}", "issuer": "https://id.example", "audience": "shop"}),
            ..ActionSpec::of::<Params>(
                "jwt_verify",
                "Check a token",
                "Proves a JSON Web Token and gives what it says; fails when it is not good.",
            )
        }
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(claims(&params, cx).and_then(|claims| done(Value::Object(claims))))
    }
}

fn claims(params: &Params, cx: &Context) -> Result<Map<String, Value>, Fault> {
    let token = params.token.trim();
    if token.len() > LARGEST * 2 {
        return Err(refused("it is too large"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signed] = parts[..] else { return Err(refused("it has not three parts")) };
    let opened = object(header).ok_or_else(|| refused("its header cannot be read"))?;
    // The step decides, not the token: none, or a public key used as a secret, ends here.
    if opened.get("alg").and_then(Value::as_str) != Some(params.algorithm.name()) {
        return Err(refused(&format!("it is not signed by {}", params.algorithm.name())));
    }
    if opened.contains_key("crit") {
        return Err(refused("its header demands something that is not known here"));
    }
    let signed = URL_SAFE_NO_PAD.decode(signed).map_err(|_| refused("its signature cannot be read"))?;
    let text = &token[..header.len() + 1 + payload.len()];
    if !params.algorithm.is_signed(text.as_bytes(), &signed, cx)? {
        return Err(refused("its signature is wrong"));
    }
    // Proved: from here on it is what its maker said.
    let claims = object(payload).ok_or_else(|| refused("its claims cannot be read"))?;
    let (now, leeway) = (cx.clock.now() as f64 / 1_000.0, f64::from(params.leeway));
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        // A time that is written as text would otherwise be no time at all.
        Some(value) => value.as_f64().map(Some).ok_or_else(|| refused(&format!("its {name} is no number"))),
    };
    match time("exp")? {
        None => return Err(refused("it has no end (exp)")),
        Some(end) if now >= end + leeway => return Err(refused("it has expired")),
        Some(_) => {}
    }
    if time("nbf")?.is_some_and(|start| now < start - leeway) {
        return Err(refused("it is not good yet (nbf)"));
    }
    if params.issuer.is_some() && claims.get("iss").and_then(Value::as_str) != params.issuer.as_deref() {
        return Err(refused("it comes from another issuer (iss)"));
    }
    let named = |value: &Value| match value {
        Value::Array(all) => all.iter().any(|one| one.as_str() == params.audience.as_deref()),
        one => one.as_str() == params.audience.as_deref(),
    };
    match (claims.get("aud"), &params.audience) {
        (None, None) => {}
        (Some(aud), Some(_)) if named(aud) => {}
        (Some(_), None) => return Err(refused("it is for an audience (aud), and the step names none")),
        _ => return Err(refused("it is for somebody else (aud)")),
    }
    Ok(claims)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn refused(why: &str) -> Fault {
    Fault::new(Code::INVALID_INPUT, format!("the token is refused: {why}"))
}
