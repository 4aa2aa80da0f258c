//! A plan's schedule as the earlier callers set it, and the list of all jobs.
//!
//! They know one schedule per plan. Setting it therefore replaces the plan's cron and interval triggers by one (which keeps the
//! first one's id, `if` and `inputs`), and removing it removes them all. Each is a new version of the document.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::cron::{Cron, CronField};
use mainspring_model::id::PlanId;
use mainspring_model::plan;
use mainspring_model::store::{LOOKS, PlanRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::path::PathId;
use super::plan_body;
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::reach::{Reach, demand_edit};
use super::reply::Reply;
use super::shape::{Id, Time};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleWrite {
    /// 5 fields, or 6 with seconds first, or `@daily` and the like.
    #[schema(example = "0 9 * * *")]
    cron_expression: String,
    /// IANA name; UTC unless written.
    timezone: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Scheduled {
    success: bool,
    plan_id: Id,
    #[schema(example = "plan_0190…")]
    job_id: String,
    next_run: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub struct Unscheduled {
    success: bool,
    plan_id: Id,
}

/// Run a plan on a schedule
#[utoipa::path(post, path = "/api/plans/{id}/schedule", tag = "plans", params(("id" = String, Path, format = "uuid")), request_body = ScheduleWrite, responses((status = 200, body = Scheduled)))]
pub async fn schedule_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<ScheduleWrite>) -> Refusable<Reply> {
    let next_run = schedule(&api, &write.caller, id, &write.body).await?;
    Ok(Reply::ok(&Scheduled { success: true, plan_id: id.into(), job_id: job_id(id), next_run }))
}

/// Stop running a plan on a schedule
#[utoipa::path(post, path = "/api/plans/{id}/unschedule", tag = "plans", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Unscheduled)))]
pub async fn unschedule_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: BareWrite) -> Refusable<Reply> {
    unschedule(&api, &write.caller, id).await
}

/// Stop running a plan on a schedule
#[utoipa::path(delete, path = "/api/plans/{id}/schedule", tag = "plans", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Unscheduled)))]
pub async fn remove_schedule(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>) -> Refusable<Reply> {
    unschedule(&api, &caller, id).await
}

async fn schedule(api: &Arc<Api>, caller: &Caller, id: PlanId, wanted: &ScheduleWrite) -> Refusable<Option<Time>> {
    let timezone = wanted.timezone.as_deref().filter(|zone| !zone.is_empty());
    let cron = Cron::parse(&wanted.cron_expression, timezone).map_err(|problem| {
        let pointer = if problem.field == Some(CronField::Timezone) { "/timezone" } else { "/cron_expression" };
        Problem::invalid(problem.at(pointer))
    })?;
    rewrite(api, caller, id, |triggers| {
        let mut trigger = json!({"id": free_id(triggers), "type": "cron"});
        if let Some(first) = triggers.iter().find(|trigger| is_timed(trigger)) {
            for kept in ["id", "if", "key", "inputs"] {
                if let Some(value) = first.get(kept) {
                    trigger[kept] = value.clone();
                }
            }
        }
        trigger["cron"] = json!(cron.expression());
        if timezone.is_some() {
            trigger["timezone"] = json!(cron.timezone());
        }
        triggers.retain(|trigger| !is_timed(trigger));
        triggers.push(trigger);
    })
    .await?;
    Ok(cron.next_after(api.clock.now()).map(Time))
}

async fn unschedule(api: &Arc<Api>, caller: &Caller, id: PlanId) -> Refusable<Reply> {
    rewrite(api, caller, id, |triggers| triggers.retain(|trigger| !is_timed(trigger))).await?;
    Ok(Reply::ok(&Unscheduled { success: true, plan_id: id.into() }))
}

/// Changes a plan's triggers; nothing is written when they stay as they were.
async fn rewrite(api: &Arc<Api>, caller: &Caller, id: PlanId, change: impl FnOnce(&mut Vec<Value>)) -> Refusable<()> {
    let known: PlanRecord = find(api, caller, id).await?;
    demand_edit(api, caller, id).await?;
    plan_body::demand_own(&known)?;
    plan_body::published(&known)?;
    let mut document = known.document.clone();
    let before = document.get("triggers").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut triggers = before.clone();
    change(&mut triggers);
    if triggers == before {
        return Ok(());
    }
    let shown = |triggers: &[Value]| {
        let part = |trigger: &Value, name: &str| trigger.get(name).cloned().unwrap_or_default();
        let timed = triggers.iter().filter(|trigger| is_timed(trigger));
        let rules = timed.map(|trigger| {
            json!({ "id": part(trigger, "id"), "cron": part(trigger, "cron"), "every": part(trigger, "every"), "timezone": part(trigger, "timezone") })
        });
        Some(json!({ "schedules": rules.collect::<Vec<_>>() }))
    };
    let (was, is) = (shown(&before), shown(&triggers));
    document["triggers"] = Value::Array(triggers);
    let checked = plan::load_value(document, &*api.catalog, &known.owner).map_err(|findings: Vec<Finding>| {
        // Stored and once valid: what is wrong now is its surroundings, such as an integration that was deleted.
        Problem::invalid_all(findings)
    })?;
    // From the version that was read: a change in between must not be undone by ours.
    crate::plans::update(api, &known, Some(known.newest()), &checked).await?;
    api.audit(caller, "", Target::new("plan", id), was, is);
    Ok(())
}

fn is_timed(trigger: &Value) -> bool {
    matches!(trigger["type"].as_str(), Some("cron" | "interval"))
}

/// `schedule`, unless another trigger has that id.
fn free_id(triggers: &[Value]) -> String {
    let taken = |id: &str| triggers.iter().any(|trigger| trigger["id"] == id);
    let names = std::iter::once("schedule".to_owned()).chain((2..).map(|number| format!("schedule_{number}")));
    names.into_iter().find(|id| !taken(id)).unwrap_or_default()
}

fn job_id(plan: PlanId) -> String {
    format!("plan_{plan}")
}

#[derive(Serialize, ToSchema)]
pub struct JobList {
    jobs: Vec<Job>,
    total: usize,
}

#[derive(Serialize, ToSchema)]
pub struct Job {
    /// `plan_<id>`; a plan's second and further schedules have their trigger's id behind a slash.
    id: String,
    #[schema(example = "Execute Plan: Morning digest")]
    name: String,
    /// The rule in one text.
    #[schema(example = "0 9 * * * (Europe/Berlin)")]
    trigger: String,
    next_run: Option<Time>,
    last_run: Option<Time>,
    last_status: Option<&'static str>,
    plan_id: Id,
    trigger_id: String,
    /// Of a trigger that looks for what is new: how often in a row it could not, and when it last could.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worked_at: Option<Time>,
    /// Why it could not the last time, as `{code, message}`; `next_run` is the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    last_error: Option<Value>,
}

/// All schedules, by their next run
#[utoipa::path(get, path = "/api/scheduler/jobs", tag = "plans", responses((status = 200, body = JobList)))]
pub async fn list_jobs(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let reach = Reach::of(&api, &caller).await?;
    let mut schedules = api.store.list_schedules(caller.owner.org).await?;
    schedules.retain(|schedule| reach.sees(schedule.plan));
    let standings = api.store.trigger_standings(caller.owner.org).await?;
    let mut standings: HashMap<_, _> = standings.into_iter().map(|(plan, trigger, standing)| ((plan, trigger), standing)).collect();
    let mut seen = HashSet::new();
    let mut jobs = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        let first = seen.insert(schedule.plan);
        let zone = schedule.timezone.as_deref().unwrap_or("UTC");
        let every = schedule.expression.strip_prefix(LOOKS).unwrap_or(&schedule.expression).starts_with("every ");
        let looks = schedule.expression.starts_with(LOOKS);
        let standing = standings.remove(&(schedule.plan, schedule.trigger.clone())).filter(|_| looks);
        jobs.push(Job {
            id: if first { job_id(schedule.plan) } else { format!("{}/{}", job_id(schedule.plan), schedule.trigger) },
            name: format!("Execute Plan: {}", schedule.plan_name),
            trigger: if every { schedule.expression } else { format!("{} ({zone})", schedule.expression) },
            next_run: schedule.next_due.map(Time),
            last_run: schedule.last_due.map(|due: Millis| Time(due)),
            last_status: schedule.last_status.map(|status| status.as_str()),
            plan_id: schedule.plan.into(),
            trigger_id: schedule.trigger,
            failures: looks.then(|| standing.as_ref().map_or(0, |standing| standing.failures)),
            worked_at: standing.as_ref().and_then(|standing| standing.worked_at.map(Time)),
            last_error: standing.and_then(|standing| standing.error),
        });
    }
    Ok(Reply::ok(&JobList { total: jobs.len(), jobs }))
}

// The second family of names.

#[derive(Serialize, ToSchema)]
pub struct ExecutionScheduled {
    success: bool,
    plan_id: Id,
    message: &'static str,
    job_id: String,
    /// The expression.
    schedule: String,
    next_run: Option<Time>,
}

/// Run a plan on a schedule
#[utoipa::path(post, path = "/api/execution-plans/{id}/schedule", tag = "earlier names", params(("id" = String, Path, format = "uuid")), request_body = ScheduleWrite, responses((status = 200, body = ExecutionScheduled)))]
pub async fn schedule_execution_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: Write<ScheduleWrite>) -> Refusable<Reply> {
    let next_run = schedule(&api, &write.caller, id, &write.body).await?;
    let (message, schedule) = ("the plan runs on this schedule", write.body.cron_expression);
    Ok(Reply::ok(&ExecutionScheduled { success: true, plan_id: id.into(), message, job_id: job_id(id), schedule, next_run }))
}

/// Stop running a plan on a schedule
#[utoipa::path(delete, path = "/api/execution-plans/{id}/schedule", tag = "earlier names", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Unscheduled)))]
pub async fn remove_execution_schedule(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>) -> Refusable<Reply> {
    unschedule(&api, &caller, id).await
}

/// Stop running a plan on a schedule
#[utoipa::path(post, path = "/api/execution-plans/{id}/unschedule", tag = "earlier names", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Unscheduled)))]
pub async fn unschedule_execution_plan(State(api): Shared, PathId(id): PathId<PlanId>, write: BareWrite) -> Refusable<Reply> {
    unschedule(&api, &write.caller, id).await
}
