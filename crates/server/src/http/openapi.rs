//! The OpenAPI 3.1 document, gathered from the handlers, and put right where the macros cannot say it.

use bytes::Bytes;
use http::header;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::api::{Api, Shared};
use super::docs;
use super::limit;
use super::permissions::{self, Rule};
use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(title = "Mainspring", description = "Durable workflow automation: plans, runs, schedules, webhooks and credentials."),
    components(schemas(ProblemBody)),
    security(("bearer" = [])),
    tags(
        (name = "plans", description = "Plans, their versions and schedules."),
        (name = "runs", description = "Starting plans and seeing what each step did."),
        (name = "events", description = "What happens outside, for runs that wait for it."),
        (name = "state", description = "What plans remember between runs."),
        (name = "live", description = "What happens, as it happens."),
        (name = "providers", description = "What steps can do, and the credentials that they use."),
        (name = "notifications", description = "Who is told of what, and what the caller was told."),
        (name = "egress", description = "Where plans may send requests, and which outside hosts fail."),
        (name = "webhooks", description = "Runs that other systems start."),
        (name = "organizations", description = "Organizations, their members, invitations, variables and audit log."),
        (name = "organizations", description = "Who works together, and what they see."),
        (name = "accounts", description = "Who one is: accounts, sessions, API keys, second factors."),
        (name = "server", description = "The server itself."),
        (name = "earlier names", description = "The same operations under the names of the earlier system."),
    )
)]
struct Frame;

/// The document before any operation is in it.
pub fn frame() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token of `POST /api/auth/login`, or an API key, `msk_…`. In dev mode none is needed."))
        .build();
    let metrics =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`MAINSPRING_METRICS_TOKEN`, for the figures alone.")).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("metrics_token", SecurityScheme::Http(metrics));
    document
}

/// The document as it is served.
pub fn text(document: &utoipa::openapi::OpenApi) -> String {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        // The router's spelling of "the rest of the path" is not OpenAPI's.
        *paths = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
        for (path, item) in paths.iter_mut() {
            let operations: Vec<(String, &mut Value)> =
                item.as_object_mut().into_iter().flatten().map(|(method, operation)| (method.clone(), operation)).collect();
            let several = operations.len() > 1;
            for (method, operation) in operations {
                put_right(operation, path, several.then_some(method.as_str()));
            }
        }
    }
    document.to_string()
}

/// Every operation can be refused in the same form; and an id names one operation only.
fn put_right(operation: &mut Value, path: &str, method: Option<&str>) {
    let Some(operation) = operation.as_object_mut() else { return };
    if path.starts_with("/api/webhook/")
        && let Some(method) = method
        && let Some(Value::String(id)) = operation.get("operationId")
    {
        let id = format!("{id}_{method}");
        operation.insert("operationId".to_owned(), Value::String(id));
    }
    if let Some(Value::String(id)) = operation.get("operationId")
        && let Some(needed) = match permissions::rule_of(id) {
            Some(Rule::Needs(permission)) => Some(permission.as_str()),
            Some(Rule::Operator) => Some("operator"),
            _ => None,
        }
    {
        operation.insert("x-permission".to_owned(), json!(needed));
    }
    if (path.starts_with("/api/") || path.starts_with("/v1/"))
        && let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut)
    {
        let refusal = json!({
            "description": "Refused: the code says why.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
        let limited = || {
            let mut limited = refusal.clone();
            limited["description"] = json!("`RATE_LIMITED`: over the limit of the caller or its address, where the operator set one.");
            let header = |said: &str| json!({"description": said, "schema": {"type": "integer"}});
            limited["headers"] = json!({
                "RateLimit-Limit": header("Requests of the budget that is closest to its end. Every limited answer has this and the next two."),
                "RateLimit-Remaining": header("Requests that it has left."),
                "RateLimit-Reset": header("Seconds until all of it is there again."),
                "Retry-After": header("Seconds until the next request is taken."),
            });
            limited
        };
        if !limit::is_free(path) {
            responses.entry("429").or_insert_with(limited);
        }
        // An answer of an operation's own may be refused under the same status.
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('4')) {
            if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
                content.entry("application/problem+json").or_insert_with(|| refusal["content"]["application/problem+json"].clone());
            }
        }
        responses.entry("default").or_insert(refusal);
    }
}

/// The OpenAPI document of this interface
#[utoipa::path(get, path = "/api/openapi.json", tag = "server", security(()), responses((status = 200, description = "OpenAPI 3.1.", body = Object)))]
pub async fn get_document(State(api): Shared) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], written(&api).0.clone()).into_response()
}

pub fn written(api: &Api) -> &(Bytes, Bytes) {
    api.written.get_or_init(|| {
        let text = text(&api.document);
        let page = docs::page(&serde_json::from_str(&text).unwrap_or_default());
        (Bytes::from(text), Bytes::from(page))
    })
}
