//! When a plan's schedules fire next, and a rule that nobody has saved.

use std::time::Duration;

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::cron::{CronField, Firing, MOST_SHOWN, Timing, Unreadable};
use mainspring_model::id::PlanId;
use mainspring_model::store::{LISTENS, LOOKS};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::caller::Caller;
use super::path::PathId;
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::query::{Query, moment, wrong};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Moments that are shown unless more are asked for.
const SHOWN: u16 = 10;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NextQuery {
    /// How many moments, 1 to 1,000; 10 unless written.
    count: Option<String>,
    /// Count from this moment instead of now.
    after: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    /// 5 fields, or 6 with seconds first, or `@daily` and the like, or `every 15m`; `@daily` unless written.
    cron: Option<String>,
    /// IANA name; UTC unless written.
    timezone: Option<String>,
    /// How many moments, 1 to 1,000; 10 unless written.
    count: Option<String>,
    /// Count from this moment instead of now.
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FiringView {
    utc: Time,
    /// In the rule's zone.
    #[schema(example = "Sun 2026-03-29 03:00:00 CEST")]
    local: String,
    /// What a change of the clocks does to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Preview {
    #[schema(example = "0 9 * * MON-FRI")]
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// The rule in words.
    description: String,
    next: Vec<FiringView>,
}

#[derive(Serialize, ToSchema)]
pub struct SchedulePreview {
    trigger_id: String,
    #[serde(flatten)]
    preview: Preview,
}

#[derive(Serialize, ToSchema)]
pub struct PlanPreview {
    plan_id: Id,
    schedules: Vec<SchedulePreview>,
}

/// When a plan's schedules fire next
///
/// A plan that was never saved with a cron, interval or poll trigger has none. Missed and skipped times are not shown.
#[utoipa::path(get, path = "/api/plans/{id}/schedule/next", tag = "plans", params(("id" = String, Path, format = "uuid"), NextQuery), responses((status = 200, body = PlanPreview)))]
pub async fn next_of_plan(State(api): Shared, caller: Caller, PathId(id): PathId<PlanId>, query: Query<NextQuery>) -> Refusable<Reply> {
    let plan = find(&api, &caller, id).await?;
    let (count, after) = (counted(query.0.count.as_deref())?, moment("after", query.0.after.as_deref())?);
    let from = after.unwrap_or_else(|| api.clock.now());
    let mut schedules = Vec::new();
    for schedule in api.store.list_schedules(caller.owner.org).await? {
        if schedule.plan != plan.id || schedule.expression.starts_with(LISTENS) {
            continue;
        }
        let rule = schedule.expression.strip_prefix(LOOKS).unwrap_or(&schedule.expression);
        let Ok(timing) = Timing::parse(rule, schedule.timezone.as_deref()) else { continue };
        // What is due already fires as soon as somebody looks.
        let first = match (after, &timing) {
            (None, _) => schedule.next_due,
            // Counted from when it was saved: the moments follow from the one that is known.
            (Some(after), Timing::Every(every)) => schedule.next_due.map(|due| due_after(due, *every, after)),
            (Some(_), Timing::Cron(_)) => None,
        };
        schedules.push(SchedulePreview { trigger_id: schedule.trigger, preview: preview(rule, &timing, from, first, count) });
    }
    schedules.sort_by(|a, b| a.trigger_id.cmp(&b.trigger_id));
    Ok(Reply::ok(&PlanPreview { plan_id: id.into(), schedules }))
}

/// The first of `due`, `due + every` and so on that comes after a moment.
fn due_after(due: Millis, every: Duration, after: Millis) -> Millis {
    let every = Millis::try_from(every.as_millis()).unwrap_or(Millis::MAX).max(1);
    if due > after { due } else { due.saturating_add(((after - due) / every).saturating_add(1).saturating_mul(every)) }
}

/// When a rule would fire
///
/// Nothing is saved.
#[utoipa::path(get, path = "/api/schedules/preview", tag = "plans", params(PreviewQuery), responses((status = 200, body = Preview)))]
pub async fn preview_schedule(State(api): Shared, _: Caller, query: Query<PreviewQuery>) -> Refusable<Reply> {
    let asked = query.0;
    let (count, after) = (counted(asked.count.as_deref())?, moment("after", asked.after.as_deref())?);
    let rule = asked.cron.as_deref().map(str::trim).filter(|rule| !rule.is_empty()).unwrap_or("@daily");
    let timezone = asked.timezone.as_deref().filter(|zone| !zone.is_empty());
    let timing = Timing::parse(rule, timezone).map_err(|problem| match problem {
        Unreadable::Cron(problem) => {
            let field = if problem.field == Some(CronField::Timezone) { "timezone" } else { "cron" };
            Problem::invalid(problem.at(field))
        }
        Unreadable::Every(reason) => Problem::invalid(Finding::new("INVALID_DURATION", "cron", reason).expected("every 15m")),
    })?;
    Ok(Reply::ok(&preview(rule, &timing, after.unwrap_or_else(|| api.clock.now()), None, count)))
}

fn preview(rule: &str, timing: &Timing, from: Millis, first: Option<Millis>, count: u16) -> Preview {
    let timezone = match timing {
        Timing::Cron(cron) => Some(cron.timezone().to_owned()),
        Timing::Every(_) => None,
    };
    let view = |firing: Firing| FiringView { utc: Time(firing.at), local: firing.local, note: firing.note };
    let next = timing.next(from, first, count).into_iter().map(view).collect();
    Preview { rule: rule.to_owned(), timezone, description: timing.describe(), next }
}

fn counted(text: Option<&str>) -> Refusable<u16> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(SHOWN) };
    let count = text.parse().ok().filter(|count| (1..=MOST_SHOWN).contains(count));
    count.ok_or_else(|| wrong("count", format!("it is a number from 1 to {MOST_SHOWN}")))
}
