//! Runs: list, one with every step and attempt, cancel.

use axum::extract::State;
use http::StatusCode;
use mainspring_engine::run::receipt::Receipt;
use mainspring_engine::run::view::{AttemptView, StepView};
use mainspring_model::action::Effect;
use mainspring_model::fault::{Class, Effected, Fault};
use mainspring_model::id::RunId;
use mainspring_model::run::{HeldBy, RunStatus, RunSummary};
use mainspring_model::store::RunFilter;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::body::BareWrite;
use super::caller::Caller;
use super::history;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reach::Reach;
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    #[param(format = "uuid")]
    plan_id: Option<String>,
    /// `queued`, `running`, `waiting`, `success`, `error`, …
    status: Option<String>,
    /// Created at or after.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Created before.
    #[param(format = DateTime)]
    until: Option<String>,
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// Newest first.
#[derive(Serialize, ToSchema)]
pub struct RunList {
    runs: Vec<RunEntry>,
    next_cursor: Option<String>,
}

/// A run as lists show it.
#[derive(Serialize, ToSchema)]
pub struct RunEntry {
    id: Id,
    plan_id: Id,
    plan_version: u32,
    plan_name: String,
    #[schema(example = "success")]
    status: &'static str,
    /// What started it: `manual`, `webhook`, `cron`, `interval`, `call`.
    trigger: String,
    created_at: Time,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    /// When a waiting run goes on by itself.
    wake_at: Option<Time>,
    /// A queued run waits for a node that serves this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// A queued run waits for other firings of its trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_for: Option<HeldForEntry>,
    /// Which limit keeps a queued run from beginning or going on: `concurrency` (its plan's) or `organization_limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<&'static str>,
    error: Option<ErrorBody>,
}

/// What a run waits for that a trigger's `debounce` or `batch` holds back.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldFor)]
pub struct HeldForEntry {
    /// `debounce` or `batch`.
    #[schema(example = "debounce")]
    by: &'static str,
    /// When it goes on unless more come.
    until: Time,
}

impl From<RunSummary> for RunEntry {
    fn from(run: RunSummary) -> RunEntry {
        RunEntry {
            id: run.id.into(),
            plan_id: run.plan_id.into(),
            plan_version: run.plan_version,
            plan_name: run.plan_name,
            status: run.status.as_str(),
            trigger: run.trigger,
            created_at: Time(run.created_at),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.map(Time),
            wake_at: run.wake_at.map(Time),
            tag: run.tag,
            held_for: run.held_for.map(|held| HeldForEntry { by: held.by.as_str(), until: Time(held.until) }),
            held_by: run.held_by.map(HeldBy::as_str),
            error: run.error.as_ref().map(ErrorBody::from),
        }
    }
}

/// Why a step or a run failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    code: String,
    /// `transient`, `auth`, `input`, `limit`, `user`, `internal`.
    #[schema(value_type = String)]
    class: Class,
    message: String,
    retryable: bool,
    /// Whether anything left the server: `unsent`, `unknown`, `sent`.
    #[schema(value_type = String)]
    effect: Effected,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl From<&Fault> for ErrorBody {
    fn from(fault: &Fault) -> ErrorBody {
        ErrorBody {
            code: fault.code.to_string(),
            class: fault.class,
            message: fault.message.clone(),
            retryable: fault.retryable,
            effect: fault.effect,
            details: fault.details.clone(),
        }
    }
}

/// Runs, newest first
#[utoipa::path(get, path = "/api/runs", tag = "runs", params(RunQuery), responses((status = 200, body = RunList)))]
pub async fn list_runs(State(api): Shared, caller: Caller, Query(query): Query<RunQuery>) -> Refusable<Reply> {
    let known = RunStatus::ALL.map(|status| (status.as_str(), status));
    let filter = RunFilter {
        plan: query::id("plan_id", query.plan_id.as_deref())?,
        status: query::word("status", query.status.as_deref(), &known)?,
        since: query::moment("since", query.since.as_deref())?,
        until: query::moment("until", query.until.as_deref())?,
    };
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let mut page = api.store.list_runs(caller.owner.org, &filter, &paging).await?;
    let reach = Reach::of(&api, &caller).await?;
    page.items.retain(|run| reach.sees(run.plan_id));
    Ok(Reply::ok(&RunList { runs: page.items.into_iter().map(RunEntry::from).collect(), next_cursor: page.next_cursor }))
}

#[derive(Serialize, ToSchema)]
pub struct RunAnswer {
    run: RunBody,
}

/// A run with everything that it did.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunBody {
    #[serde(flatten)]
    entry: RunEntry,
    #[schema(value_type = Object)]
    inputs: Value,
    /// The root `trigger` that expressions see.
    #[schema(value_type = Object)]
    trigger_data: Value,
    output: Value,
    /// The run and step path that called this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    /// The run that this one goes on from, or repeats: `metadata.recorded_by` of its steps says what was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_of: Option<Id>,
    /// The top list in its order, then what ran inside bodies and in the plan's own lists.
    steps: Vec<StepBody>,
}

#[derive(Serialize, ToSchema)]
pub struct Parent {
    run_id: Id,
    step: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Step)]
pub struct StepBody {
    /// The step's path: its id, and inside bodies `outer[3].inner`.
    id: String,
    /// Zero-based index in the top list, of the step or of the one that encloses it.
    step_number: Option<u32>,
    #[schema(example = "http.request")]
    action: String,
    #[schema(example = "success")]
    status: &'static str,
    port: Option<String>,
    output: Value,
    message: String,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    error: Option<ErrorBody>,
    /// When a waiting step goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    /// What became of its effect outside, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<ReceiptBody>,
    attempts: Vec<AttemptBody>,
}

/// What became of an effect outside
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptBody {
    /// `not_sent`, `sent` (and refused), `confirmed`, or `unknown`: it may have been sent and nobody heard what came of it.
    #[schema(example = "confirmed")]
    reached: &'static str,
    /// `idempotent` (repeating is harmless), `keyed` (the service takes a key), or `write`.
    #[schema(value_type = String, example = "keyed")]
    kind: Effect,
    /// The key that was sent with every attempt, where the service takes one: look for it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// An earlier attempt may have had the effect too: its process died, or nobody heard of it.
    maybe_repeated: bool,
    /// Whether its `undo` took it back; absent where nobody tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    undone: Option<bool>,
}

impl From<Receipt> for ReceiptBody {
    fn from(receipt: Receipt) -> ReceiptBody {
        ReceiptBody {
            reached: receipt.reached.as_str(),
            kind: receipt.kind,
            idempotency_key: receipt.idempotency_key,
            maybe_repeated: receipt.maybe_repeated,
            undone: receipt.undone,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptBody {
    attempt: u32,
    #[schema(example = "success")]
    status: &'static str,
    ended_at: Time,
    latency_ms: f64,
    error: Option<ErrorBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Time>,
}

impl From<StepView> for StepBody {
    fn from(view: StepView) -> StepBody {
        StepBody {
            id: view.id,
            step_number: view.step_number,
            action: view.action,
            status: view.status.as_str(),
            port: view.port,
            output: view.output,
            message: view.message,
            metadata: view.metadata,
            error: view.error.as_ref().map(ErrorBody::from),
            until: view.until.map(Time),
            effect: view.effect.map(ReceiptBody::from),
            attempts: view.attempts.iter().map(AttemptBody::from).collect(),
        }
    }
}

impl From<&AttemptView> for AttemptBody {
    fn from(view: &AttemptView) -> AttemptBody {
        AttemptBody {
            attempt: view.attempt,
            status: view.status.as_str(),
            ended_at: Time(view.ended_at),
            latency_ms: view.latency_ms,
            error: view.error.as_ref().map(ErrorBody::from),
            retry_at: view.retry_at.map(Time),
        }
    }
}

/// One run: inputs, output, and each step with its attempts
#[utoipa::path(get, path = "/api/runs/{id}", tag = "runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = RunAnswer)))]
pub async fn get_run(State(api): Shared, caller: Caller, PathId(id): PathId<RunId>) -> Refusable<Reply> {
    let seen = history::load(&api, &caller, id).await?;
    let output = seen.ending().map_or(Value::Null, |ending| ending.output.clone());
    let parent = seen.header.parent.as_ref().map(|(run, step)| Parent { run_id: (*run).into(), step: step.clone() });
    let mut entry = RunEntry::from(seen.summary.clone());
    // The row and the journal are read one after the other: where the run ended in between, the journal is the truth.
    entry.status = seen.status().as_str();
    entry.error = entry.error.or_else(|| seen.error().as_ref().map(ErrorBody::from));
    let run = RunBody {
        entry,
        inputs: seen.header.inputs.clone(),
        trigger_data: seen.header.trigger.clone(),
        output,
        parent,
        replay_of: seen.header.replay_of().map(Id::from),
        steps: seen.steps.into_iter().map(StepBody::from).collect(),
    };
    Ok(Reply::ok(&RunAnswer { run }))
}

/// Make a run lie down
///
/// Durable when it answers. No further step starts; one that is under way ends first, and then the run is `paused` until somebody resumes
/// or cancels it, restarts or not. What comes due meanwhile is served when it goes on; its `deadline` goes on counting.
#[utoipa::path(post, path = "/api/runs/{id}/pause", tag = "runs", params(("id" = String, Path, format = "uuid")), responses((status = 202, body = CancelAnswer)))]
pub async fn pause_run(State(api): Shared, PathId(id): PathId<RunId>, write: BareWrite) -> Refusable<Reply> {
    let owner = write.caller.owner;
    history::summary(&api, &write.caller, id).await?;
    if !api.engine.pause(owner.org, id).await? {
        return Err(Problem::conflict(format!("run {id} has ended already, or is being cancelled")));
    }
    let run = history::summary(&api, &write.caller, id).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &CancelAnswer { run: run.into() }).location(&format!("/api/runs/{id}")))
}

#[derive(Serialize, ToSchema)]
pub struct CancelAnswer {
    run: RunEntry,
}

/// Ask a run to end
///
/// Durable when it answers; the run then undoes nothing, runs its `finally`, and ends in `cancelled`. A second one ends `finally` too.
#[utoipa::path(post, path = "/api/runs/{id}/cancel", tag = "runs", params(("id" = String, Path, format = "uuid")), responses((status = 202, body = CancelAnswer)))]
pub async fn cancel_run(State(api): Shared, PathId(id): PathId<RunId>, write: BareWrite) -> Refusable<Reply> {
    let owner = write.caller.owner;
    history::summary(&api, &write.caller, id).await?;
    if !api.engine.cancel(owner.org, id, &owner.user.to_string()).await? {
        return Err(Problem::conflict(format!("run {id} has ended already")));
    }
    let run = history::summary(&api, &write.caller, id).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &CancelAnswer { run: run.into() }).location(&format!("/api/runs/{id}")))
}
