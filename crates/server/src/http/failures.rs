//! Failed runs by what went wrong, and many runs at once: retried, or asked to end.

use std::collections::BTreeMap;

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::{Paging, RunFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::history;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reach::Reach;
use super::replays;
use super::reply::Reply;
use super::shape::{Id, Time};

/// As many runs of one status are looked at, newest first.
const LOOKED_AT: usize = 1_000;
/// As many are retried or asked to end by one call, unless it asks for fewer.
const MOST: u32 = 100;
const FAILED: [RunStatus; 3] = [RunStatus::Error, RunStatus::TimedOut, RunStatus::Quarantined];
const OPEN: [RunStatus; 4] = [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting, RunStatus::Paused];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FailureQuery {
    #[param(format = "uuid")]
    plan_id: Option<String>,
    /// Created at or after.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Created before.
    #[param(format = DateTime)]
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FailureList {
    /// The most frequent first.
    failures: Vec<FailureGroup>,
    /// Only the newest 1,000 failed runs of a status were looked at.
    incomplete: bool,
}

/// Runs of one plan that failed in the same way.
#[derive(Serialize, ToSchema)]
pub struct FailureGroup {
    /// The same for the same step, code and kind of message, whatever the numbers, ids and quoted texts in it.
    #[schema(example = "9f2c64a01b7de835")]
    fingerprint: String,
    plan_id: Id,
    plan_name: String,
    step: Option<String>,
    #[schema(example = "HTTP_503")]
    code: String,
    /// Of the newest.
    message: String,
    count: u64,
    first_at: Time,
    last_at: Time,
    last_run_id: Id,
}

/// Failed runs, grouped by what went wrong
#[utoipa::path(get, path = "/api/runs/failures", tag = "runs", params(FailureQuery), responses((status = 200, body = FailureList)))]
pub async fn list_failures(State(api): Shared, caller: Caller, Query(query): Query<FailureQuery>) -> Refusable<Reply> {
    let filter = RunFilter {
        plan: query::id("plan_id", query.plan_id.as_deref())?,
        status: None,
        since: query::moment("since", query.since.as_deref())?,
        until: query::moment("until", query.until.as_deref())?,
    };
    let (runs, incomplete) = seen(&api, &caller, &filter, &FAILED).await?;
    let mut groups: BTreeMap<String, FailureGroup> = BTreeMap::new();
    for run in runs {
        let print = fingerprint(&run);
        // Newest first: the first one of a group says how it reads.
        let group = groups.entry(print.clone()).or_insert_with(|| group(print, &run));
        group.count += 1;
        group.first_at = Time(run.created_at.min(group.first_at.0));
    }
    let mut failures: Vec<FailureGroup> = groups.into_values().collect();
    failures.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_at.0)));
    Ok(Reply::ok(&FailureList { failures, incomplete }))
}

fn group(fingerprint: String, run: &RunSummary) -> FailureGroup {
    let error = run.error.as_ref();
    FailureGroup {
        fingerprint,
        plan_id: run.plan_id.into(),
        plan_name: run.plan_name.clone(),
        step: step_of(run).map(str::to_owned),
        code: error.map_or_else(|| run.status.as_str().to_uppercase(), |error| error.code.to_string()),
        message: error.map(|error| error.message.clone()).unwrap_or_default(),
        count: 0,
        first_at: Time(run.created_at),
        last_at: Time(run.created_at),
        last_run_id: run.id.into(),
    }
}

/// Without the item or pass: a loop fails in one way, whichever item it is.
fn step_of(run: &RunSummary) -> Option<&str> {
    run.error.as_ref()?.details.as_ref()?.get("step")?.as_str()
}

fn fingerprint(run: &RunSummary) -> String {
    let step: String = shape_of(step_of(run).unwrap_or_default());
    let (code, message) = match &run.error {
        Some(error) => (error.code.to_string(), shape_of(&error.message)),
        None => (run.status.as_str().to_owned(), String::new()),
    };
    let mut hash = Sha256::new();
    for part in [run.plan_id.to_string(), step, code, message] {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A message without what differs from run to run: quoted texts, and words with a digit in them.
fn shape_of(message: &str) -> String {
    let outside = message.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let words = outside.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.map(|word| if word.contains(|c: char| c.is_ascii_digit()) { "0" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Runs of these statuses, newest first, and whether there are more.
async fn seen(api: &Api, caller: &Caller, filter: &RunFilter, statuses: &[RunStatus]) -> Refusable<(Vec<RunSummary>, bool)> {
    let reach = Reach::of(api, caller).await?;
    let (mut runs, mut more) = (Vec::new(), false);
    for status in statuses {
        let filter = RunFilter { status: Some(*status), ..filter.clone() };
        let (mut cursor, mut count) = (None, 0);
        loop {
            let page = api.store.list_runs(caller.owner.org, &filter, &Paging { limit: 200, cursor }).await?;
            count += page.items.len();
            runs.extend(page.items.into_iter().filter(|run| reach.sees(run.plan_id)));
            cursor = page.next_cursor;
            if cursor.is_none() || count >= LOOKED_AT {
                more |= cursor.is_some();
                break;
            }
        }
    }
    runs.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id.0)));
    Ok((runs, more))
}

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

#[cfg(test)]
mod tests {
    use super::shape_of;

    #[test]
    fn messages_that_differ_in_what_they_name_have_one_shape() {
        let shape = shape_of("order 17 of \"Ada\" was refused (id 0198c3f2-7a51)");
        assert_eq!(shape, shape_of("order 4711 of \"Bob \\ Eve\" was refused (id 01a2001c-84b8)"));
        assert_ne!(shape, shape_of("order 17 of \"Ada\" was lost (id 0198c3f2-7a51)"));
    }
}
