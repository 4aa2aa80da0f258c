//! `logic.respond`: the answer for the caller of a webhook that waits for one.

use std::collections::BTreeMap;
use std::future::{Future, ready};

use http::header::{HeaderName, HeaderValue};
use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bounds::{Weight, kind};

pub(super) struct Respond;

/// Headers that frame the message: the server writes them, and a second one would split or cut the answer.
const SERVERS_OWN: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The HTTP status, 200 to 599.
    #[serde(default = "ok")]
    #[schemars(range(min = 200, max = 599))]
    status: u16,
    /// Header name → text, number or boolean; null leaves the header out.
    #[serde(default)]
    headers: Map<String, Value>,
    /// Text is sent as it is, everything else as JSON.
    #[serde(default)]
    body: Value,
}

fn ok() -> u16 {
    200
}

impl TypedAction for Respond {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            computes: true,
            output: Some(
                json!({"type": "object", "properties": {"status": {"type": "integer"}, "headers": {"type": "object"}, "body": true}}),
            ),
            example: json!({"status": 201, "headers": {"x-order": 42}, "body": {"ok": true}}),
            ..ActionSpec::of::<Params>("respond", "Respond", "Answers the webhook caller that waits for this run.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    // 1xx is no answer: an HTTP server goes on after it.
    if !(200..=599).contains(&params.status) {
        return Err(Fault::invalid_params(format!("\"status\" must be from 200 to 599; it is {}", params.status)));
    }
    let mut headers = BTreeMap::new();
    for (name, value) in &params.headers {
        if let Some(text) = header_text(name, value)? {
            let name = header_name(name)?;
            if headers.insert(name.clone(), text).is_some() {
                return Err(Fault::invalid_params(format!("the header \"{name}\" is given twice")));
            }
        }
    }
    Weight::default().add(&params.body)?;
    Ok(Outcome::Respond { status: params.status, headers, body: params.body })
}

/// The name in small letters, as HTTP/2 sends it.
fn header_name(name: &str) -> Result<String, Fault> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Fault::invalid_params(format!("{name:?} is not a header name: letters, digits and - are allowed")))?;
    if SERVERS_OWN.contains(&parsed.as_str()) {
        return Err(Fault::invalid_params(format!("the header \"{parsed}\" is set by the server and cannot be given")));
    }
    Ok(parsed.as_str().to_owned())
}

fn header_text(name: &str, value: &Value) -> Result<Option<String>, Fault> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        other => return Err(Fault::invalid_params(format!("the header {name:?} must be text; it is {}", kind(other)))),
    };
    // Line breaks above all: they would let data write further headers.
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Fault::invalid_params(format!("the header {name:?} has a line break or another control character in its value")))?;
    Ok(Some(text))
}
