//! One action of a custom integration.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome};
use mainspring_model::{Code, Fault};
use serde_json::{Map, Value, json};
use url::Url;

use super::definition::{ActionDefinition, AuthType, Definition};
use super::endpoint::{address, placeholders};
use super::params::{declared, schema};
use crate::custom_api::prefixed;
use crate::egress::{Egress, Request};
use crate::http::body::encode;
use crate::http::exchange::{Reading, exchanged};
use crate::http::query::add_query;
use crate::http::request::{TEN_SECONDS, attach, effect_of, merge, method};

/// How every action of an integration reaches it.
pub(super) struct Service {
    pub egress: Arc<Egress>,
    pub base: Url,
    pub auth: AuthType,
    pub header: String,
    pub prefix: String,
}

impl Service {
    pub(super) fn of(definition: &Definition, egress: Arc<Egress>) -> Option<Service> {
        Some(Service {
            egress,
            base: Url::parse(definition.base_url.trim()).ok()?,
            auth: definition.auth_type,
            header: definition.auth_header.clone(),
            prefix: definition.auth_prefix.clone(),
        })
    }

    /// Sends the rest of the params as the query or the body, logged in.
    async fn send(&self, method: Method, url: Url, rest: Rest, cx: &Context) -> ActionResult {
        let mut request = Request::new(method, url);
        if let Some(query) = &rest.query {
            add_query(&mut request.url, query)?;
        }
        if let Some(body) = &rest.body {
            attach(&mut request, encode(body, None)?)?;
        }
        merge(&mut request.headers, rest.headers.as_ref())?;
        self.log_in(&mut request, cx)?;
        request.timeout = Some(TEN_SECONDS);
        Ok(Outcome::Done(exchanged(&self.egress, request, Reading::default(), cx).await?))
    }

    fn log_in(&self, request: &mut Request, cx: &Context) -> Result<(), Fault> {
        let names: &[&str] = match self.auth {
            AuthType::None => return Ok(()),
            AuthType::ApiKey => &["api_key"],
            AuthType::Oauth => &["access_token", "oauth_token"],
        };
        let credential = cx.credential.as_ref();
        let key = credential.and_then(|credential| names.iter().find_map(|name| credential.field(name)));
        let Some(key) = key else {
            let text = format!("the integration needs a credential with {}; store one for it", names[0]);
            return Err(Fault::new(Code::MISSING_CREDENTIALS, text));
        };
        request.secret_header(&self.header, &prefixed(Some(&self.prefix), key))
    }
}

/// What is sent beside the address.
#[derive(Default)]
struct Rest {
    query: Option<Map<String, Value>>,
    headers: Option<Map<String, Value>>,
    body: Option<Value>,
}

/// An action that the definition describes.
pub(super) struct Described {
    service: Arc<Service>,
    spec: ActionSpec,
    method: Method,
    endpoint: String,
}

impl Described {
    pub(super) fn of(action: &ActionDefinition, service: Arc<Service>) -> Option<Described> {
        let method = method(None, Some(&action.method)).ok()?;
        let title = if action.name.is_empty() { &action.id } else { &action.name };
        let description = if action.description.is_empty() { format!("{method} {}", action.endpoint) } else { action.description.clone() };
        let spec = ActionSpec {
            effect: effect_of(&method),
            needs_credential: service.auth != AuthType::None,
            params: schema(&declared(&action.params).ok()?, &placeholders(&action.endpoint).ok()?),
            ..ActionSpec::of::<Value>(&action.id, title, &description)
        };
        Some(Described { service, spec, method, endpoint: action.endpoint.clone() })
    }
}

impl Action for Described {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        async move {
            let mut params = object(params)?;
            let missing = self.spec.params["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in missing {
                if params.get(name).is_none_or(Value::is_null) {
                    return Err(Fault::invalid_params(format!("{}: {name} is missing", self.spec.name)));
                }
            }
            let url = address(&self.service.base, &self.endpoint, &mut params)?;
            let rest = match self.method {
                Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE => Rest { query: Some(params), ..Rest::default() },
                _ => Rest { body: Some(Value::Object(params)), ..Rest::default() },
            };
            self.service.send(self.method.clone(), url, rest, cx).await
        }
        .boxed()
    }
}

/// `request{endpoint, method, query, headers, body}`: what the definition does not describe, and its test.
pub(super) struct Free {
    service: Arc<Service>,
    spec: ActionSpec,
}

impl Free {
    pub(super) fn of(service: Arc<Service>) -> Free {
        let params = json!({
            "type": "object",
            "properties": {
                "endpoint": {"type": "string", "description": "A path below the base address."},
                "method": {"type": "string", "default": "GET"},
                "query": {"type": ["object", "null"]},
                "headers": {"type": ["object", "null"]},
                "body": {},
            },
            "required": ["endpoint"],
            "additionalProperties": false,
        });
        let spec = ActionSpec {
            effect: Effect::Write,
            needs_credential: service.auth != AuthType::None,
            params,
            example: json!({"endpoint": "/items", "method": "GET"}),
            ..ActionSpec::of::<Value>("request", "Request", "Sends any request to this integration, with its credential.")
        };
        Free { service, spec }
    }
}

impl Action for Free {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn effect(&self, params: &Value) -> Effect {
        method(None, params.get("method").and_then(Value::as_str)).as_ref().map_or(Effect::Write, effect_of)
    }

    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        async move {
            let mut params = object(params)?;
            let mut take = |name: &str| params.shift_remove(name).filter(|value| !value.is_null());
            let text = |name: &str, value: Option<Value>| match value {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text)),
                Some(_) => Err(Fault::invalid_params(format!("{name} must be text"))),
            };
            let map = |name: &str, value: Option<Value>| match value {
                None => Ok(None),
                Some(Value::Object(fields)) => Ok(Some(fields)),
                Some(_) => Err(Fault::invalid_params(format!("{name} must be an object"))),
            };
            let endpoint = text("endpoint", take("endpoint"))?.unwrap_or_default();
            let method = method(None, text("method", take("method"))?.as_deref())?;
            let rest = Rest { query: map("query", take("query"))?, headers: map("headers", take("headers"))?, body: take("body") };
            if let Some(unknown) = params.keys().next() {
                return Err(Fault::invalid_params(format!(
                    "request has no param \"{unknown}\"; it has endpoint, method, query, headers, body"
                )));
            }
            let url = address(&self.service.base, &endpoint, &mut Map::new())?;
            self.service.send(method, url, rest, cx).await
        }
        .boxed()
    }
}

fn object(params: Value) -> Result<Map<String, Value>, Fault> {
    match params {
        Value::Object(params) => Ok(params),
        Value::Null => Ok(Map::new()),
        _ => Err(Fault::invalid_params("params must be an object")),
    }
}
