//! What happens outside: events that runs wait for and plans start by, and answers to the addresses that steps opened.

use axum::extract::{Request, State};
use http::StatusCode;
use mainspring_engine::run_of_callback;
use mainspring_model::Problem as Finding;
use mainspring_model::id::SignalId;
use mainspring_model::store::{EventFilter, SignalRecord};
use mainspring_model::wait::{callback_topic, check_event_type};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::body::{self, Write};
use super::caller::Caller;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reply::Reply;
use super::shape::{Id, Time};
use super::webhook_request::Called;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventWrite {
    /// What happened. Runs wait for a type by its exact name.
    #[serde(rename = "type")]
    #[schema(example = "invoice.paid")]
    event_type: Option<String>,
    /// What there is to say of it.
    data: Option<Value>,
    /// Yours, so that telling of it twice is telling once; made here when absent.
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<SignalId>,
    /// What earlier callers write instead of `type`, with the fields below instead of `data`; the answer is then theirs (201).
    #[serde(rename = "event_type")]
    earlier_type: Option<String>,
    file_path: Option<String>,
    tool: Option<String>,
    operation: Option<String>,
    details: Option<Value>,
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
/// a wait sees what came since its run began. Plans with a trigger of type `event` start.
#[utoipa::path(post, path = "/api/events", tag = "events", request_body = EventWrite, responses((status = 202, body = EventAccepted),
    (status = 201, description = "To who wrote `event_type`.", body = EventShown)))]
pub async fn post_event(State(api): Shared, write: Write<EventWrite>) -> Refusable<Reply> {
    let EventWrite { event_type, data, id, earlier_type, file_path, tool, operation, details } = write.body;
    let earlier = earlier_type.is_some();
    let wrong = |pointer: &str, said: String| Problem::invalid(Finding::new("INVALID_VALUE", pointer, said));
    let (event_type, data) = match (event_type, earlier_type) {
        (Some(_), Some(_)) => {
            return Err(wrong("/event_type", "\"event_type\" is the earlier name of \"type\"; write one of them".to_owned()));
        }
        (None, Some(event_type)) if data.is_none() => {
            (event_type, json!({"file_path": file_path, "tool": tool, "operation": operation, "details": details}))
        }
        (None, Some(_)) => return Err(wrong("/data", "with \"event_type\" there is no \"data\"; write \"type\"".to_owned())),
        (Some(event_type), None) if file_path.is_none() && tool.is_none() && operation.is_none() && details.is_none() => {
            (event_type, data.unwrap_or_default())
        }
        (Some(_), None) => {
            return Err(wrong(
                "/type",
                "\"file_path\", \"tool\", \"operation\" and \"details\" go with \"event_type\"; write them into \"data\"".to_owned(),
            ));
        }
        (None, None) => {
            return Err(Problem::invalid(Finding::new("MISSING_FIELD", "/type", "an event needs a \"type\", such as invoice.paid")));
        }
    };
    check_event_type(&event_type).map_err(|said| wrong(if earlier { "/event_type" } else { "/type" }, said))?;
    let id = id.unwrap_or_else(|| SignalId(api.engine.new_id()));
    let told = api.engine.tell_event(write.caller.owner.org, id, &event_type, data).await?;
    if earlier {
        return Ok(Reply::json(StatusCode::CREATED, &EventShown::from(told.signal)));
    }
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
pub struct Events {
    events: Vec<EventShown>,
    next_cursor: Option<String>,
}

/// An event, under our names and those of earlier callers.
#[derive(Serialize, ToSchema)]
pub struct EventShown {
    id: Id,
    #[serde(rename = "type")]
    event_type: String,
    data: Value,
    received_at: Time,
    /// The same as `type`.
    #[serde(rename = "event_type")]
    earlier_type: String,
    /// These four as they stand in `data`.
    file_path: Value,
    tool: Value,
    operation: Value,
    details: Value,
    /// The same as `received_at`.
    timestamp: Time,
}

impl From<SignalRecord> for EventShown {
    fn from(record: SignalRecord) -> EventShown {
        let SignalRecord { id, topic, data, received_at } = record;
        let event_type = topic.strip_prefix("event:").unwrap_or(&topic).to_owned();
        let part = |name: &str| data.get(name).cloned().unwrap_or_default();
        EventShown {
            id: id.into(),
            earlier_type: event_type.clone(),
            event_type,
            received_at: Time(received_at),
            file_path: part("file_path"),
            tool: part("tool"),
            operation: part("operation"),
            details: part("details"),
            timestamp: Time(received_at),
            data,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only of this type; `event_type` is the same.
    #[serde(rename = "type")]
    event_type: Option<String>,
    #[serde(rename = "event_type")]
    earlier_type: Option<String>,
    /// What stands as `tool` in the data.
    tool: Option<String>,
    /// Part of the type, or of `file_path` or `operation` in the data.
    search: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// The organization's events, newest first
///
/// Those that were posted and those that steps emitted, for as long as they are kept.
#[utoipa::path(get, path = "/api/events", tag = "events", params(EventQuery), responses((status = 200, body = Events)))]
pub async fn list_events(State(api): Shared, caller: Caller, Query(asked): Query<EventQuery>) -> Refusable<Reply> {
    let paging = query::paging(asked.limit.as_deref(), asked.cursor)?;
    let written = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = EventFilter {
        event_type: written(asked.event_type).or_else(|| written(asked.earlier_type)),
        tool: written(asked.tool),
        search: written(asked.search),
    };
    let page = api.store.list_events(caller.owner.org, &filter, &paging).await?;
    Ok(Reply::ok(&Events { events: page.items.into_iter().map(EventShown::from).collect(), next_cursor: page.next_cursor }))
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
