//! What happens outside: events that runs wait for, and answers to the addresses that steps opened.

use axum::extract::{Request, State};
use http::StatusCode;
use mainspring_engine::run_of_callback;
use mainspring_model::Problem as Finding;
use mainspring_model::id::SignalId;
use mainspring_model::wait::{callback_topic, check_event_type};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::api::Shared;
use super::body::{self, Write};
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};
use super::webhook_request::Called;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventWrite {
    /// What happened. Runs wait for a type by its exact name.
    #[serde(rename = "type")]
    #[schema(example = "invoice.paid")]
    event_type: String,
    /// What there is to say of it.
    #[serde(default)]
    data: Value,
    /// Yours, so that telling of it twice is telling once; made here when absent.
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<SignalId>,
}

#[derive(Serialize, ToSchema)]
pub struct EventAccepted {
    id: Id,
    #[serde(rename = "type")]
    event_type: String,
    received_at: Time,
    /// It was known by its id already; nothing was done.
    duplicate: bool,
    /// Runs that were waiting and look at it now.
    woken: usize,
}

/// Tell that something happened
///
/// Kept before it is answered. Runs that wait for this type go on (`logic.wait_for_event`), also those that begin to wait later:
/// a wait sees what came since its run began.
#[utoipa::path(post, path = "/api/events", tag = "events", request_body = EventWrite, responses((status = 202, body = EventAccepted)))]
pub async fn post_event(State(api): Shared, write: Write<EventWrite>) -> Refusable<Reply> {
    let EventWrite { event_type, data, id } = write.body;
    check_event_type(&event_type).map_err(|said| Problem::invalid(Finding::new("INVALID_VALUE", "/type", said)))?;
    let id = id.unwrap_or_else(|| SignalId(api.engine.new_id()));
    let told = api.engine.tell_event(write.caller.owner.org, id, &event_type, data).await?;
    let accepted = EventAccepted {
        id: told.signal.id.into(),
        event_type,
        received_at: Time(told.signal.received_at),
        duplicate: !told.new,
        woken: told.woken.len(),
    };
    Ok(Reply::json(StatusCode::ACCEPTED, &accepted))
}

#[derive(Serialize, ToSchema)]
pub struct CallbackAccepted {
    accepted: bool,
}

/// Answer an address that a step opened
///
/// Needs no key: whoever knows the address may answer it, once. The run sees `{method, headers, query, body}`. Any content type is taken.
#[utoipa::path(post, path = "/api/callbacks/{id}", tag = "events", security(()), params(("id" = String, Path)),
    request_body(content = Value, description = "Anything."), responses((status = 200, body = CallbackAccepted)))]
pub async fn answer_callback(State(api): Shared, PathName(id): PathName, request: Request) -> Refusable<Reply> {
    let (parts, content) = request.into_parts();
    let unknown = || Problem::not_found("an open callback of this address");
    let run = run_of_callback(&id).ok_or_else(unknown)?;
    let header = api.store.header(run).await?.ok_or_else(unknown)?;
    let (org, topic) = (header.owner.org, callback_topic(&id));
    api.store.wait_for(org, &topic).await?.ok_or_else(unknown)?;
    let content = body::read(&api, content).await?;
    let answer = Called::read(&parts, String::new(), &content, &[])?.into_answer();
    if !api.engine.answer(org, &topic, answer).await?.new {
        return Err(Problem::conflict("this address was answered already; the first answer counts"));
    }
    Ok(Reply::ok(&CallbackAccepted { accepted: true }))
}
