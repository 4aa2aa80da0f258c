//! Failed runs, grouped by what went wrong.

use std::collections::BTreeMap;

use axum::extract::State;
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::{Paging, RunFilter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::problem::Refusable;
use super::query::{self, Query};
use super::reach::Reach;
use super::reply::Reply;
use super::shape::{Id, Time};

/// As many runs of one status are looked at, newest first.
const LOOKED_AT: usize = 1_000;
/// What a retry is for, beside runs that need a decision.
pub const FAILED: [RunStatus; 3] = [RunStatus::Error, RunStatus::TimedOut, RunStatus::Quarantined];

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

fn step_of(run: &RunSummary) -> Option<&str> {
    run.error.as_ref()?.details.as_ref()?.get("step")?.as_str()
}

/// Of how a run failed. A loop fails in one way, whichever item it is.
pub fn fingerprint(run: &RunSummary) -> String {
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

/// Runs of these statuses, newest first, at most 1,000 of each, and whether there are more.
pub async fn seen(api: &Api, caller: &Caller, filter: &RunFilter, statuses: &[RunStatus]) -> Refusable<(Vec<RunSummary>, bool)> {
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
