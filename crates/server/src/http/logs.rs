//! The execution log: a row per attempt.

use axum::extract::State;
use mainspring_model::event::AttemptStatus;
use mainspring_model::store::{LogEntry, LogFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::caller::Caller;
use super::problem::Refusable;
use super::query::{self, Query};
use super::reach::Reach;
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    #[param(format = "uuid")]
    plan_id: Option<String>,
    #[param(format = "uuid")]
    run_id: Option<String>,
    /// `success`, `error`, `retrying` or `cancelled`.
    status: Option<String>,
    provider: Option<String>,
    #[param(format = DateTime)]
    since: Option<String>,
    #[param(format = DateTime)]
    until: Option<String>,
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// Newest first.
#[derive(Serialize, ToSchema)]
pub struct LogList {
    logs: Vec<LogBody>,
    next_cursor: Option<String>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub struct LogBody {
    id: String,
    run_id: Id,
    plan_id: Id,
    plan_name: String,
    /// Zero-based index in the top list; steps in bodies carry their enclosing one. Null for the plan's own `on_error` and `finally`.
    step_number: Option<u32>,
    /// The step's path.
    step_id: String,
    attempt: u32,
    provider: String,
    action: String,
    #[schema(example = "success")]
    status: String,
    message: String,
    latency_ms: f64,
    /// The first 500 characters.
    output_preview: String,
    /// Code and message as text.
    error: Option<String>,
    #[schema(value_type = Option<Object>)]
    error_detail: Option<Value>,
    timestamp: Time,
}

impl From<LogEntry> for LogBody {
    fn from(entry: LogEntry) -> LogBody {
        let mut error_detail = entry.error;
        if let Some(fields) = error_detail.as_mut().and_then(Value::as_object_mut) {
            // For the engine alone.
            fields.shift_remove("retry_after_ms");
        }
        let text = |name: &str| error_detail.as_ref().and_then(|error| error[name].as_str()).unwrap_or_default();
        let error = error_detail.as_ref().map(|_| format!("{}: {}", text("code"), text("message")));
        LogBody {
            id: entry.id,
            run_id: entry.run_id.into(),
            plan_id: entry.plan_id.into(),
            plan_name: entry.plan_name,
            step_number: entry.step_number,
            step_id: entry.step_id,
            attempt: entry.attempt,
            provider: entry.provider,
            action: entry.action,
            status: entry.status,
            message: entry.message,
            latency_ms: entry.latency_ms,
            output_preview: entry.output_preview,
            error,
            error_detail,
            timestamp: Time(entry.timestamp),
        }
    }
}

/// The execution log, newest first
#[utoipa::path(get, path = "/api/execution-logs", tag = "runs", params(LogQuery), responses((status = 200, body = LogList)))]
pub async fn list_logs(State(api): Shared, caller: Caller, Query(query): Query<LogQuery>) -> Refusable<Reply> {
    let known = [AttemptStatus::Success, AttemptStatus::Error, AttemptStatus::Retrying, AttemptStatus::Cancelled]
        .map(|status| (status.as_str(), status));
    let filter = LogFilter {
        plan: query::id("plan_id", query.plan_id.as_deref())?,
        run: query::id("run_id", query.run_id.as_deref())?,
        status: query::word("status", query.status.as_deref(), &known)?.map(|status| status.as_str().to_owned()),
        provider: query.provider.filter(|provider| !provider.is_empty()),
        since: query::moment("since", query.since.as_deref())?,
        until: query::moment("until", query.until.as_deref())?,
    };
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let mut page = api.store.list_logs(caller.owner.org, &filter, &paging).await?;
    let reach = Reach::of(&api, &caller).await?;
    page.items.retain(|entry| reach.sees(entry.plan_id));
    Ok(Reply::ok(&LogList { logs: page.items.into_iter().map(LogBody::from).collect(), next_cursor: page.next_cursor }))
}
