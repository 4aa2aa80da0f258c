//! Runs once more: a failed run from where it failed, any run from a step of it, and one that needs a decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use mainspring_engine::run::Again;
use mainspring_engine::{Replay, ReplayError};
use mainspring_model::Problem as Finding;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::history::{self, Seen};
use super::idempotency::{Once, once};
use super::path::PathId;
use super::plan_body;
use super::plans;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::runs::RunEntry;

#[derive(Serialize, ToSchema)]
pub struct ReplayAnswer {
    /// The new run.
    run: RunEntry,
}

/// Run again what failed in a run
///
/// A new run takes over what ended well, inside loops and bodies too, and goes on from there with the same inputs, plan version and owner.
/// An attempt of which nobody knows whether it reached its service is repeated under its first idempotency key. A run is retried once: a
/// second call gives the same new run. 409 `DECISION_NEEDED` for a run that stopped in a `once` step: see `resume`.
#[utoipa::path(post, path = "/api/runs/{id}/retry", tag = "runs", params(("id" = String, Path, format = "uuid")), responses(
    (status = 202, description = "The new run, at `Location`.", body = ReplayAnswer, headers(("Location" = String)))))]
pub async fn retry_run(State(api): Shared, PathId(id): PathId<RunId>, write: BareWrite) -> Refusable<Reply> {
    let seen = history::load(&api, &write.caller, id).await?;
    let (made, _) = retry(&api, &write.caller, &seen).await?;
    answer(&api, &write.caller, made).await
}

/// Makes the retry of a run that ended, and did not end well; `false` when it was made before.
pub async fn retry(api: &Api, caller: &Caller, seen: &Seen) -> Refusable<(RunId, bool)> {
    ended(seen)?;
    if seen.status() == RunStatus::Success {
        return Err(Problem::conflict("the run ended well, so there is nothing to retry; `replay` runs it again, or from a step"));
    }
    let wanted = Wanted { key: Some(format!("retry/{}", seen.header.id)), ..Wanted::of(seen.header.owner, Again::Failed) };
    make(api, caller, seen, wanted, "retry_run").await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayWrite {
    /// Of the top list: it and what follows from it run again, and whatever failed. All steps when it is left out.
    #[schema(example = "send")]
    from_step: Option<String>,
    /// In place of the run's.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Value>,
    /// By the plan as it is now; by the version that the run had unless this is set.
    #[serde(default)]
    latest: bool,
}

/// Run a run again, as a whole or from a step
///
/// The new run is the caller's. What is not to run again is taken over as it was recorded. 409 `REPLAY_UNFIT` when that does not fit other inputs
/// or a newer version of the plan.
#[utoipa::path(post, path = "/api/runs/{id}/replay", tag = "runs", request_body = ReplayWrite,
    params(("id" = String, Path, format = "uuid"), ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 202, description = "The new run, at `Location`.", body = ReplayAnswer, headers(("Location" = String)))))]
pub async fn replay_run(State(api): Shared, PathId(id): PathId<RunId>, write: Write<ReplayWrite>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let doing = api.clone();
    once(api, caller, key.clone(), async move { replay(&doing, &caller, id, body, key).await }).await
}

async fn replay(api: &Arc<Api>, caller: &Caller, id: RunId, body: ReplayWrite, key: Option<Once>) -> Refusable<Reply> {
    let seen = history::load(api, caller, id).await?;
    ended(&seen)?;
    let again = body.from_step.map_or(Again::All, Again::From);
    let key = key.map(|key| key.for_run());
    let wanted = Wanted { key, inputs: body.inputs, latest: body.latest, ..Wanted::of(caller.owner, again) };
    let (made, _) = make(api, caller, &seen, wanted, "replay_run").await?;
    answer(api, caller, made).await
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It did its work: the run goes on with `output`.
    Done,
    /// It did not: it is tried again, under the same idempotency key.
    Repeat,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeWrite {
    /// Of a run in `needs_decision`; nothing for one that is paused.
    #[serde(default)]
    decision: Option<Decision>,
    /// What the step gave, for `done`.
    #[serde(default)]
    output: Value,
}

/// Let a run go on: one that is paused, or one that stopped in a step that must not run twice
///
/// A paused run goes on by itself with `{}`; what came due meanwhile is served now. For a run in `needs_decision` say what became of the step. A new run of the same owner takes over what the run recorded and goes on from this step. Where several were
/// in flight when the process died, the decision is for all of them.
#[utoipa::path(post, path = "/api/runs/{id}/resume", tag = "runs", request_body = ResumeWrite, params(("id" = String, Path, format = "uuid")), responses(
    (status = 202, description = "The run that goes on, at `Location`: a new one after a decision.", body = ReplayAnswer, headers(("Location" = String)))))]
pub async fn resume_run(State(api): Shared, PathId(id): PathId<RunId>, write: Write<ResumeWrite>) -> Refusable<Reply> {
    let (caller, body) = (write.caller, write.body);
    let Some(decision) = body.decision else { return unpause(&api, &caller, id).await };
    let seen = history::load(&api, &caller, id).await?;
    if seen.status() != RunStatus::NeedsDecision {
        return Err(Problem::conflict(format!("run {id} needs no decision: it is in `{}`", seen.status().as_str())));
    }
    let output = match decision {
        Decision::Done => Some(body.output),
        Decision::Repeat if body.output.is_null() => None,
        Decision::Repeat => {
            let finding = Finding::new("INVALID_VALUE", "/output", "a step that is repeated gives its own output; leave it out");
            return Err(Problem::invalid(finding));
        }
    };
    let mut wanted = Wanted { key: Some(format!("retry/{id}")), ..Wanted::of(seen.header.owner, Again::Failed) };
    for step in mainspring_engine::run::undecided(&seen.events) {
        wanted.decided.insert(step, output.clone());
    }
    let (made, _) = make(&api, &caller, &seen, wanted, "resume_run").await?;
    answer(&api, &caller, made).await
}

struct Wanted {
    owner: Owner,
    again: Again,
    inputs: Option<Value>,
    latest: bool,
    decided: BTreeMap<String, Option<Value>>,
    key: Option<String>,
}

impl Wanted {
    fn of(owner: Owner, again: Again) -> Wanted {
        Wanted { owner, again, inputs: None, latest: false, decided: BTreeMap::new(), key: None }
    }
}

async fn make(api: &Api, caller: &Caller, seen: &Seen, wanted: Wanted, action: &str) -> Refusable<(RunId, bool)> {
    let header = &seen.header;
    let known = plans::find(api, caller, header.plan_id).await?;
    let was = api.engine.plan(&header.owner, header.plan_id, header.plan_version).await?;
    let plan = match wanted.latest {
        true => api.engine.plan(&caller.owner, header.plan_id, plan_body::published(&known)?).await?,
        false => was.clone(),
    };
    let inputs = match &wanted.inputs {
        Some(inputs) => plan.plan.inputs.accept(inputs).map_err(Problem::invalid_all)?,
        None if wanted.latest => plan.plan.inputs.accept(&header.inputs).map_err(Problem::invalid_all)?,
        None => header.inputs.clone(),
    };
    let Wanted { owner, again, decided, key, .. } = wanted;
    let replay = Replay { owner, of: header.clone(), events: seen.events.clone(), was, plan, inputs, again, decided, key };
    let made = api.engine.replay(replay).await.map_err(refused)?;
    api.audit(caller, action, Target::new("run", header.id), None, Some(json!({ "run": made.run, "new": made.new })));
    Ok((made.run, made.new))
}

fn refused(error: ReplayError) -> Box<Problem> {
    let detail = error.to_string();
    match error {
        ReplayError::NoStep(_) => Problem::invalid(Finding::new("UNKNOWN_STEP", "/from_step", detail)),
        ReplayError::Undecided(_) => Problem::new(StatusCode::CONFLICT, "DECISION_NEEDED", detail),
        ReplayError::Unfit(_) => Problem::new(StatusCode::CONFLICT, "REPLAY_UNFIT", detail),
        ReplayError::NotOpen(_) => Problem::conflict(detail),
        ReplayError::Start(error) => error.into(),
    }
}

fn ended(seen: &Seen) -> Refusable<()> {
    let status = seen.status();
    match status.is_terminal() {
        true => Ok(()),
        false => Err(Problem::conflict(format!("the run is in `{}`; cancel it, or wait until it has ended", status.as_str()))),
    }
}

async fn unpause(api: &Api, caller: &Caller, id: RunId) -> Refusable<Reply> {
    let before = history::summary(api, caller, id).await?;
    if !api.engine.resume(caller.owner.org, id).await? {
        let problem = match before.status {
            RunStatus::NeedsDecision => {
                format!("run {id} needs a decision: send {{\"decision\": \"done\"}} or {{\"decision\": \"repeat\"}}")
            }
            status => format!("run {id} is not paused: it is in `{}`", status.as_str()),
        };
        return Err(Problem::conflict(problem));
    }
    answer(api, caller, id).await
}

async fn answer(api: &Api, caller: &Caller, made: RunId) -> Refusable<Reply> {
    let run = history::summary(api, caller, made).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &ReplayAnswer { run: run.into() }).location(&format!("/api/runs/{made}")))
}
