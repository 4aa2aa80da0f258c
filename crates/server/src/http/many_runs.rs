//! Many runs at once: retried, or asked to end.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::RunFilter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::failures::{FAILED, fingerprint, seen};
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};
use super::{history, query, replays};

/// As many are retried or asked to end by one call, unless it asks for fewer.
const MOST: u32 = 100;
const OPEN: [RunStatus; 4] = [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting, RunStatus::Paused];

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyRuns {
    #[schema(format = "uuid")]
    plan_id: Option<String>,
    /// `error`, `timed_out` or `quarantined` to retry; `queued`, `running`, `waiting` or `paused` to end. All of them without it.
    status: Option<String>,
    /// Of `/api/runs/failures`.
    fingerprint: Option<String>,
    /// Created at or after.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Created before; now without it. The answer says so: with it a further call means the same runs.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// 1–100.
    limit: Option<u32>,
}

impl ManyRuns {
    async fn chosen(&self, api: &Api, caller: &Caller, statuses: &[RunStatus], until: Millis) -> Refusable<(Vec<RunSummary>, bool)> {
        let known: Vec<(&str, RunStatus)> = statuses.iter().map(|status| (status.as_str(), *status)).collect();
        let status = query::word("status", self.status.as_deref(), &known)?;
        let filter = RunFilter {
            plan: query::id("plan_id", self.plan_id.as_deref())?,
            status: None,
            since: query::moment("since", self.since.as_deref())?,
            until: Some(until),
        };
        let (mut runs, more) = seen(api, caller, &filter, status.as_ref().map_or(statuses, std::slice::from_ref)).await?;
        if let Some(wanted) = &self.fingerprint {
            runs.retain(|run| fingerprint(run) == *wanted);
        }
        // The oldest first: they have waited longest.
        runs.reverse();
        Ok((runs, more))
    }

    fn until(&self, api: &Api) -> Refusable<Millis> {
        Ok(query::moment("until", self.until.as_deref())?.unwrap_or_else(|| api.clock.now()))
    }

    fn limit(&self) -> Refusable<usize> {
        match self.limit.unwrap_or(MOST) {
            limit @ 1..=MOST => Ok(limit as usize),
            other => Err(Problem::invalid(Finding::new("INVALID_VALUE", "/limit", format!("{other} is not within 1 and {MOST}")))),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ManyRetried {
    retried: Vec<Retried>,
    /// Retried before; their new runs are not made again.
    earlier: u64,
    refused: Vec<NotRetried>,
    /// There are more: call again.
    more: bool,
    until: Time,
}

#[derive(Serialize, ToSchema)]
pub struct Retried {
    of: Id,
    run_id: Id,
}

#[derive(Serialize, ToSchema)]
pub struct NotRetried {
    run_id: Id,
    code: String,
    detail: String,
}

/// Retry many failed runs
///
/// Each as by `/api/runs/{id}/retry`, the oldest first. A run that was retried before is passed over.
#[utoipa::path(post, path = "/api/runs/retry", tag = "runs", request_body = ManyRuns, responses((status = 200, body = ManyRetried)))]
pub async fn retry_runs(State(api): Shared, write: Write<ManyRuns>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let limit = body.limit()?;
    let until = body.until(&api)?;
    let (runs, mut more) = body.chosen(&api, &caller, &FAILED, until).await?;
    let mut done = ManyRetried { retried: Vec::new(), earlier: 0, refused: Vec::new(), more: false, until: Time(until) };
    for run in runs {
        if done.retried.len() >= limit {
            more = true;
            break;
        }
        match retry_one(&api, &caller, run.id).await {
            Ok((made, true)) => done.retried.push(Retried { of: run.id.into(), run_id: made.into() }),
            Ok((_, false)) => done.earlier += 1,
            Err(problem) if problem.status.is_server_error() => return Err(problem),
            Err(problem) => {
                done.refused.push(NotRetried { run_id: run.id.into(), code: problem.code.to_string(), detail: problem.detail.clone() });
            }
        }
    }
    done.more = more;
    let after = json!({ "retried": done.retried.len(), "refused": done.refused.len() });
    api.audit(&caller, "", Target::new("runs", caller.owner.org), None, Some(after));
    Ok(Reply::ok(&done))
}

async fn retry_one(api: &Api, caller: &Caller, run: RunId) -> Refusable<(RunId, bool)> {
    let seen = history::load(api, caller, run).await?;
    replays::retry(api, caller, &seen).await
}

#[derive(Serialize, ToSchema)]
pub struct ManyCancelled {
    #[schema(value_type = Vec<String>)]
    cancelled: Vec<Id>,
    /// There are more: call again.
    more: bool,
    until: Time,
}

/// Ask many runs to end
///
/// Each as by `/api/runs/{id}/cancel`, the oldest first.
#[utoipa::path(post, path = "/api/runs/cancel", tag = "runs", request_body = ManyRuns, responses((status = 200, body = ManyCancelled)))]
pub async fn cancel_runs(State(api): Shared, write: Write<ManyRuns>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let limit = body.limit()?;
    let until = body.until(&api)?;
    let (runs, mut more) = body.chosen(&api, &caller, &OPEN, until).await?;
    more |= runs.len() > limit;
    let mut cancelled = Vec::new();
    for run in runs.into_iter().take(limit) {
        // One that ended meanwhile needs no end.
        if api.engine.cancel(caller.owner.org, run.id, &caller.owner.user.to_string()).await? {
            cancelled.push(run.id.into());
        }
    }
    api.audit(&caller, "", Target::new("runs", caller.owner.org), None, Some(json!({ "cancelled": cancelled.len() })));
    Ok(Reply::ok(&ManyCancelled { cancelled, more, until: Time(until) }))
}
