//! Provider `custom_api`, by its earlier names and params: a call to an API that is given by base address and endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction, erase};
use mainspring_model::catalog::Provider;
use mainspring_model::credential::CredentialField;
use mainspring_model::{Fault, duration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::egress::{Egress, Request};
use crate::http::auth;
use crate::http::body::encode;
use crate::http::exchange::{Reading, exchanged};
use crate::http::params::Time;
use crate::http::query::add_query;
use crate::http::request::{TEN_SECONDS, attach, effect_of, merge, method};

/// The provider.
pub fn provider(egress: Arc<Egress>) -> Provider {
    let mut credential = auth::fields();
    credential.insert(
        0,
        CredentialField {
            name: "api_key".to_owned(),
            title: "API key".to_owned(),
            required: false,
            secret: true,
            help: Some("Sent in the header that the step names in auth_header, after its auth_prefix.".to_owned()),
        },
    );
    Provider {
        id: "custom_api".to_owned(),
        title: "Custom API".to_owned(),
        category: "Web".to_owned(),
        version: 1,
        description: "Calls an API by base address and endpoint.".to_owned(),
        credential,
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            erase(Call { egress: egress.clone(), name: "call_api", title: "Call an API" }),
            erase(Call { egress, name: "request", title: "Send a request" }),
        ],
        aliases: BTreeMap::new(),
    }
}

struct Call {
    egress: Arc<Egress>,
    name: &'static str,
    title: &'static str,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The address that endpoint is added to.
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    endpoint: Option<String>,
    /// The whole address, instead of base_url and endpoint.
    #[serde(default)]
    url: Option<String>,
    /// GET, POST, PUT, PATCH or DELETE.
    #[serde(default)]
    #[schemars(extend("default" = "GET"))]
    method: Option<String>,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    /// The same as text, as the oldest plans wrote it.
    #[serde(default)]
    headers_json: Option<Value>,
    /// Sent as JSON; with GET it is the query.
    #[serde(default)]
    body: Option<Value>,
    /// The same as text, as the oldest plans wrote it.
    #[serde(default)]
    body_json: Option<Value>,
    /// Where the credential's api_key goes.
    #[serde(default)]
    #[schemars(extend("default" = "Authorization"))]
    auth_header: Option<String>,
    /// What stands before it; empty for nothing.
    #[serde(default)]
    #[schemars(extend("default" = "Bearer"))]
    auth_prefix: Option<String>,
    /// 10 s unless written.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<Time>")]
    timeout: Option<Duration>,
}

impl TypedAction for Call {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Write,
            example: json!({"base_url": "https://api.example.com", "endpoint": "/items", "method": "GET", "body": {"limit": 10}}),
            ..ActionSpec::of::<Params>(self.name, self.title, "Calls an API by base address and endpoint and gives the answer's body.")
        }
    }

    fn effect(&self, _: &ActionSpec, params: &Value) -> Effect {
        let written = params.get("method").and_then(Value::as_str);
        method(None, written).as_ref().map_or(Effect::Write, effect_of)
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let mut request = Request::new(method(None, params.method.as_deref())?, Request::parse_url(&address(&params)?)?);
        let body = params.body.or(from_text("body_json", params.body_json)?).filter(|body| !body.is_null());
        match body {
            Some(Value::Object(query)) if request.method == Method::GET => add_query(&mut request.url, &query)?,
            Some(_) if request.method == Method::GET => {
                return Err(Fault::invalid_params("body: with GET it is the query, so it must be an object"));
            }
            Some(body) => attach(&mut request, encode(&body, None)?)?,
            None => {}
        }
        merge(&mut request.headers, params.headers.as_ref())?;
        match from_text("headers_json", params.headers_json)? {
            Some(Value::Object(headers)) => merge(&mut request.headers, Some(&headers))?,
            Some(_) => return Err(Fault::invalid_params("headers_json must be an object")),
            None => {}
        }
        auth::apply(&mut request, cx.credential.as_ref())?;
        if let Some(key) = cx.credential.as_ref().and_then(|credential| credential.field("api_key")) {
            let header = params.auth_header.as_deref().filter(|name| !name.is_empty()).unwrap_or("Authorization");
            request.secret_header(header, prefixed(params.auth_prefix.as_deref(), key).trim())?;
        }
        request.timeout = Some(params.timeout.unwrap_or(TEN_SECONDS));
        Ok(Outcome::Done(exchanged(&self.egress, request, Reading::default(), cx).await?))
    }
}

/// `Bearer key`; an empty prefix is none.
pub(crate) fn prefixed(prefix: Option<&str>, key: &str) -> String {
    match prefix.map_or("Bearer", str::trim) {
        "" => key.to_owned(),
        prefix => format!("{prefix} {key}"),
    }
}

fn address(params: &Params) -> Result<String, Fault> {
    let endpoint = params.endpoint.as_deref().unwrap_or_default();
    match (params.url.as_deref().filter(|url| !url.is_empty()), params.base_url.as_deref().filter(|url| !url.is_empty())) {
        (Some(url), None) => Ok(url.to_owned()),
        (None, Some(base)) if endpoint.is_empty() => Ok(base.to_owned()),
        (None, Some(base)) if endpoint.starts_with('?') => Ok(format!("{base}{endpoint}")),
        (None, Some(base)) => Ok(format!("{}/{}", base.trim_end_matches('/'), endpoint.trim_start_matches('/'))),
        (Some(_), Some(_)) => Err(Fault::invalid_params("write url, or base_url with endpoint: not both")),
        (None, None) => Err(Fault::invalid_params("base_url is missing")),
    }
}

/// A param that is JSON in a text; the oldest plans sometimes gave the object itself.
fn from_text(name: &str, value: Option<Value>) -> Result<Option<Value>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            serde_json::from_str(&text).map(Some).map_err(|error| Fault::invalid_params(format!("{name} is not JSON: {error}")))
        }
        Some(value) => Ok(Some(value)),
    }
}
