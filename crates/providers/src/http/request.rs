//! `http.request`, and the same with the method in the action's name.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, header};
use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use serde_json::{Map, Value, json};

use super::auth;
use super::body::encode;
use super::exchange::{Reading, exchanged};
use super::files::streamed;
use super::pages::pages;
use super::params::{RequestParams, ResponseType};
use super::query::{add_query, headers};
use crate::egress::{Egress, Request, header_name, header_value};

pub(super) struct HttpRequest {
    pub egress: Arc<Egress>,
    /// The one method of `http.get` and the like.
    pub method: Option<Method>,
}

const METHODS: [Method; 7] = [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

impl TypedAction for HttpRequest {
    type Params = RequestParams;

    fn spec(&self) -> ActionSpec {
        let (name, title, description) = match &self.method {
            None => ("request".to_owned(), "HTTP request".to_owned(), "Sends a request and gives the answer's body, parsed by its type."),
            Some(method) => (
                method.as_str().to_lowercase(),
                format!("HTTP {method}"),
                "Sends a request of this method and gives the answer's body, parsed by its type.",
            ),
        };
        let mut spec = ActionSpec::of::<RequestParams>(&name, &title, description);
        if self.method.is_some()
            && let Some(properties) = spec.params["properties"].as_object_mut()
        {
            properties.shift_remove("method");
        }
        // A longer `timeout` param is held by the step's; 30 s is the engine's default either way.
        spec.timeout = None;
        spec.effect = self.method.as_ref().map_or(Effect::Write, effect_of);
        spec.example = match self.method.as_ref().map_or("GET", Method::as_str) {
            "POST" | "PUT" | "PATCH" => json!({"url": "https://api.example.com/items", "body": {"name": "Ada"}}),
            _ => json!({"url": "https://api.example.com/items", "query": {"limit": 10}}),
        };
        spec
    }

    fn effect(&self, _: &ActionSpec, params: &Value) -> Effect {
        if params.get("idempotency_header").is_some_and(|header| !header.is_null()) {
            return Effect::Keyed;
        }
        let written = params.get("method").and_then(Value::as_str).map(str::to_ascii_uppercase);
        let method = self.method.clone().or_else(|| Method::from_bytes(written.as_deref().unwrap_or("GET").as_bytes()).ok());
        method.as_ref().map_or(Effect::Write, effect_of)
    }

    async fn call(&self, params: RequestParams, cx: &Context) -> ActionResult {
        if params.response == ResponseType::File && params.pagination.is_some() {
            return Err(Fault::invalid_params("response: file takes one answer; leave pagination out"));
        }
        let request = self.prepare(&params, cx).await?;
        let reading = Reading { response: params.response, fail_on_status: params.fail_on_status };
        let output = match &params.pagination {
            Some(paging) => pages(&self.egress, request, reading, paging, cx).await?,
            None => exchanged(&self.egress, request, reading, cx).await?,
        };
        Ok(Outcome::Done(output))
    }
}

impl HttpRequest {
    async fn prepare(&self, params: &RequestParams, cx: &Context) -> Result<Request, Fault> {
        let mut url = Request::parse_url(&params.url)?;
        if let Some(query) = &params.query {
            add_query(&mut url, query)?;
        }
        let mut request = Request::new(method(self.method.as_ref(), params.method.as_deref())?, url);
        if let Some(body) = params.body.as_ref().filter(|body| !body.is_null()) {
            match streamed(body, params.body_type, cx).await? {
                Some((body, content_type)) => {
                    request.headers.insert(header::CONTENT_TYPE, header_value(&header::CONTENT_TYPE, &content_type)?);
                    request.stream = Some(body);
                }
                None => attach(&mut request, encode(body, params.body_type)?)?,
            }
        }
        merge(&mut request.headers, params.headers.as_ref())?;
        if let Some(name) = &params.idempotency_header {
            let name = header_name(name)?;
            let value = header_value(&name, &cx.idempotency_key)?;
            request.headers.insert(name, value);
        }
        auth::apply(&mut request, cx.credential.as_ref())?;
        request.timeout = params.timeout;
        request.max_bytes = params.max_bytes;
        request.into_file = params.response == ResponseType::File && params.fail_on_status;
        request.follow_redirects = params.follow_redirects;
        Ok(request)
    }
}

/// Gives the request a body and its content type.
pub(crate) fn attach(request: &mut Request, body: super::body::Encoded) -> Result<(), Fault> {
    let content_type = header_value(&header::CONTENT_TYPE, &body.content_type)?;
    request.headers.insert(header::CONTENT_TYPE, content_type);
    request.body = Some(body.bytes);
    Ok(())
}

/// Sets the headers that a plan wrote, over those that came from its body.
pub(crate) fn merge(into: &mut HeaderMap, written: Option<&Map<String, Value>>) -> Result<(), Fault> {
    if let Some(written) = written {
        let written = headers(written)?;
        written.keys().for_each(|name| {
            into.remove(name);
        });
        for (name, value) in &written {
            into.append(name, value.clone());
        }
    }
    Ok(())
}

/// The method that a param names; the action's own, when it has one.
pub(crate) fn method(own: Option<&Method>, written: Option<&str>) -> Result<Method, Fault> {
    let Some(written) = written else { return Ok(own.cloned().unwrap_or(Method::GET)) };
    let upper = written.trim().to_ascii_uppercase();
    let found = METHODS.into_iter().find(|method| method.as_str() == upper);
    match (found, own) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(own)) if found == *own => Ok(found),
        (Some(_), Some(own)) => Err(Fault::invalid_params(format!("method: this action sends {own}; for another method use http.request"))),
        (None, _) => {
            let shown: String = written.chars().take(30).collect();
            Err(Fault::invalid_params(format!("method: \"{shown}\" is none of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")))
        }
    }
}

/// What repeating a request of this method does (RFC 9110 §9.2.2).
pub(crate) fn effect_of(method: &Method) -> Effect {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Effect::Read,
        Method::PUT | Method::DELETE => Effect::Idempotent,
        _ => Effect::Write,
    }
}

/// The wait of the earlier callers' actions, which had ten seconds.
pub(crate) const TEN_SECONDS: Duration = Duration::from_secs(10);
