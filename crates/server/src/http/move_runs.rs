//! Waiting runs that go on by another version of their plan.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use mainspring_engine::LoadedPlan;
use mainspring_engine::run::fits;
use mainspring_model::Problem as Finding;
use mainspring_model::id::{PlanId, RunId};
use mainspring_model::plan::diff::Diff;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Paging, PlanRecord, RunFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::path::PathId;
use super::plan_body;
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::reach::demand_edit;
use super::reply::Reply;
use super::shape::Id;
use super::versions::document;

/// As many runs are looked at by one call.
const MOST: u32 = 200;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRuns {
    /// The version that they are to go on by; the published one when it is left out.
    to: Option<u32>,
    /// Only say which could.
    #[serde(default)]
    dry_run: bool,
    /// Only this one.
    #[schema(value_type = Option<String>, format = "uuid")]
    run_id: Option<RunId>,
    /// Runs that one call looks at, 1–200, 100 unless written.
    limit: Option<u32>,
    /// From `next_cursor` of the call before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct MovedRuns {
    to: u32,
    dry_run: bool,
    /// With `dry_run` those that could.
    moved: Vec<MovedRun>,
    refused: Vec<UnmovedRun>,
    /// There are more runs to look at.
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct MovedRun {
    run_id: Id,
    from: u32,
}

#[derive(Serialize, ToSchema)]
pub struct UnmovedRun {
    run_id: Id,
    from: u32,
    /// What stands in the way.
    reason: String,
}

/// Say which waiting runs can go on by another version, and move them
///
/// A run can when what it recorded is what the other version could have written, and the step that it waits in is the same in both. Runs that are
/// under way just now are passed over: they keep theirs.
#[utoipa::path(post, path = "/api/plans/{id}/move-runs", tag = "plans", request_body = MoveRuns,
    params(("id" = String, Path, format = "uuid")), responses((status = 200, body = MovedRuns)))]
pub async fn move_runs(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<MoveRuns>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let plan = find(&api, &caller, id).await?;
    demand_edit(&api, &caller, id).await?;
    let to = match body.to {
        Some(to) => to,
        None => plan_body::published(&plan)?,
    };
    let limit = body.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        let message = format!("{limit} is not within 1 and {MOST}");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/limit", message)));
    }
    let mut mover = Mover::new(&api, plan, to).await?;
    let mut answer = MovedRuns { to, dry_run: body.dry_run, moved: Vec::new(), refused: Vec::new(), next_cursor: None };
    let runs = match body.run_id {
        Some(run) => {
            let found = api.store.get_run(caller.owner.org, run).await?.filter(|run| run.plan_id == id);
            vec![found.ok_or_else(|| Problem::not_found(format_args!("run {run} of the plan {id}")))?]
        }
        None => {
            let filter = RunFilter { plan: Some(id), status: Some(RunStatus::Waiting), since: None, until: None };
            let page = api.store.list_runs(caller.owner.org, &filter, &Paging { limit, cursor: body.cursor }).await?;
            answer.next_cursor = page.next_cursor;
            page.items
        }
    };
    for run in runs.into_iter().filter(|run| run.plan_version != to) {
        let moved = if run.status == RunStatus::Waiting || run.status == RunStatus::Paused {
            mover.one(run.id, run.plan_version, body.dry_run).await?
        } else {
            Err(format!("only a run that waits can be moved; it is in `{}`", run.status.as_str()))
        };
        match moved {
            Ok(()) => answer.moved.push(MovedRun { run_id: run.id.into(), from: run.plan_version }),
            Err(reason) => answer.refused.push(UnmovedRun { run_id: run.id.into(), from: run.plan_version, reason }),
        }
    }
    if !body.dry_run {
        let runs: Vec<Value> = answer.moved.iter().map(|moved| json!({ "run": moved.run_id, "from": moved.from })).collect();
        api.audit(&caller, "move_runs", Target::new("plan", id), None, Some(json!({ "to": to, "moved": runs })));
    }
    Ok(Reply::ok(&answer))
}

struct Mover<'a> {
    api: &'a Arc<Api>,
    plan: PlanRecord,
    to: LoadedPlan,
    document: Value,
    /// Of each version that a run comes from: the plan, and what is another in the new one.
    from: HashMap<u32, (LoadedPlan, Arc<Diff>)>,
}

impl<'a> Mover<'a> {
    async fn new(api: &'a Arc<Api>, plan: PlanRecord, to: u32) -> Refusable<Mover<'a>> {
        let document = document(api, &plan, to).await?;
        let loaded = api.engine.plan(&plan.owner, plan.id, to).await?;
        Ok(Mover { api, plan, to: loaded, document, from: HashMap::new() })
    }

    /// The inner error is the reason for people.
    async fn one(&mut self, run: RunId, from: u32, dry_run: bool) -> Refusable<Result<(), String>> {
        let api = self.api;
        let (was, changes) = self.from(from).await?;
        let Some(header) = api.store.header(run).await? else { return Ok(Err("it is gone".to_owned())) };
        let mut events = api.store.history(run).await?;
        mainspring_engine::hydrate(&*api.store, header.owner.org, &mut events).await?;
        let seq = events.last().map_or(0, |event| event.seq);
        let (org, new, keys) = (header.owner.org, self.to.plan.clone(), api.engine.keys());
        // A long journal takes a while, which other requests must not wait for.
        let judged = tokio::task::spawn_blocking(move || fits(&was.plan, &new, &changes, &Arc::new(header), &keys, &events));
        if let Err(reason) = judged.await.map_err(Problem::internal)? {
            return Ok(Err(reason));
        }
        if !dry_run && !api.store.move_run(org, run, from, self.to.version, seq).await? {
            return Ok(Err("it went on meanwhile; ask again".to_owned()));
        }
        Ok(Ok(()))
    }

    async fn from(&mut self, version: u32) -> Refusable<(LoadedPlan, Arc<Diff>)> {
        if !self.from.contains_key(&version) {
            let loaded = self.api.engine.plan(&self.plan.owner, self.plan.id, version).await?;
            let old = document(self.api, &self.plan, version).await?;
            self.from.insert(version, (loaded, Arc::new(Diff::between(&old, &self.document))));
        }
        Ok(self.from[&version].clone())
    }
}
