//! What a webhook that waits for its run answers: the run's output, or what `logic.respond` said.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use mainspring_engine::RunHandle;
use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::plan::trigger::Respond;
use mainspring_model::run::{Ending, RunStatus};
use serde_json::Value;

use super::api::Api;
use super::elsewhere;
use super::execution;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::webhook::going_on;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// What a plan answers may be a page, and must not act on our origin.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");

/// Waits until there is an answer, or the run waits itself, or for as long as callers are held.
pub async fn answer(api: &Api, org: OrgId, plan: PlanId, mut handle: RunHandle, respond: Respond) -> Refusable<Response> {
    let by_step = respond == Respond::Step;
    if elsewhere::is_elsewhere(api, &handle) {
        return answer_from_elsewhere(api, org, plan, handle, by_step).await;
    }
    let progress = execution::wait(api, &mut handle, |progress| {
        progress.ended.is_some() || progress.parked || progress.gone || (by_step && progress.responded.is_some())
    })
    .await;
    if let Some(said) = progress.responded.as_ref().filter(|_| by_step) {
        return Ok(said_response(said));
    }
    if let Some(report) = &progress.ended {
        return finished(handle.id, &report.ending);
    }
    if let Some(run) = progress.exists {
        return answer_of(api, org, plan, run, by_step).await;
    }
    // Refused by the store, or never written down: nobody may be told that it goes on.
    let run = handle.accepted().await?;
    Ok(going_on(plan, run).into_response())
}

async fn answer_from_elsewhere(api: &Api, org: OrgId, plan: PlanId, mut handle: RunHandle, by_step: bool) -> Refusable<Response> {
    let run = handle.accepted().await?;
    answer_of(api, org, plan, run, by_step).await
}

/// What a run answers that is not driven here, or was started by an earlier delivery of the same message.
async fn answer_of(api: &Api, org: OrgId, plan: PlanId, run: RunId, by_step: bool) -> Refusable<Response> {
    if let Some(said) = elsewhere::wait(api, org, run, by_step).await? {
        return Ok(said_response(&said));
    }
    match api.store.ending(run).await? {
        Some(mut ending) => {
            if let Some(blob) = ending.blob.take() {
                ending.output = mainspring_engine::read_large(&*api.store, org, &blob).await?;
            }
            finished(run, &ending)
        }
        None => Ok(going_on(plan, run).into_response()),
    }
}

fn finished(run: RunId, ending: &Ending) -> Refusable<Response> {
    if ending.status == RunStatus::Success {
        return Ok(Reply::ok(&ending.output).into_response());
    }
    // Who calls a webhook need not be who may read the run: its id is all that is said.
    let detail = format!("the run ended as {}; see run {run}", ending.status.as_str());
    Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "RUN_FAILED", detail).member("run_id", run.to_string()))
}

/// `{status, headers, body}` as a response. Its fields were checked when the step ran.
fn said_response(said: &Value) -> Response {
    let status = said["status"].as_u64().and_then(|status| u16::try_from(status).ok()).and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::OK);
    let (media_type, bytes) = match &said["body"] {
        Value::Null => (None, Vec::new()),
        Value::String(text) => (Some(TEXT), text.clone().into_bytes()),
        other => (Some(JSON), other.to_string().into_bytes()),
    };
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(media_type) = media_type.filter(|_| !bodiless) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    for (name, value) in said["headers"].as_object().into_iter().flatten() {
        // A cookie set here would be sent along with calls of our own interface.
        let name = name.parse::<HeaderName>().ok().filter(|name| *name != header::SET_COOKIE);
        let value = value.as_str().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    response
}
