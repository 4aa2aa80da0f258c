//! What services ask of a webhook before they send anything: each wants its question answered at once, and no run.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use mainspring_model::plan::signature::{Service, Signature};
use serde_json::{Value, json};

use super::reply::Reply;
use super::webhook_signature::signature;
use crate::webhooks::Hook;

/// The answer, where the body of a proven delivery is such a question of a service that one of the triggers listens to.
pub fn answer(hooks: &[Arc<Hook>], body: &Value) -> Option<Response> {
    hooks.iter().find_map(|hook| match signature(hook)? {
        Signature::Service(service) => answer_to(*service, body),
        Signature::Hmac(_) => None,
    })
}

fn answer_to(service: Service, body: &Value) -> Option<Response> {
    match service {
        Service::Slack if body["type"] == "url_verification" => {
            let challenge = body["challenge"].as_str()?;
            Some(Reply::ok(&json!({"challenge": challenge})).into_response())
        }
        // An interaction of type 1, and an event of type 0, which has no `event`.
        Service::Discord if body["type"] == 1 => Some(Reply::ok(&json!({"type": 1})).into_response()),
        Service::Discord if body["type"] == 0 => Some(StatusCode::NO_CONTENT.into_response()),
        _ => None,
    }
}
