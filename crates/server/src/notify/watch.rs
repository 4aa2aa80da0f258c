//! Watching: looks at the ends of runs, at schedules that are late and at credentials that expire, and tells of them.
//!
//! The store is the source, by a mark that never goes back; looks overlap, and the key of a message makes twice once. So a
//! process that was killed, and two that look at once, tell of everything and of nothing twice.

use std::collections::HashMap;
use std::sync::Arc;

use mainspring_engine::SealError;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::{RunHeader, RunStatus, RunSummary, Slot};
use mainspring_model::store::{EndedBadly, Expiring, FailingTrigger, NotificationRuleRecord, ScheduleRecord, StoreError};
use serde_json::json;

use super::{Event, Kind, Rule, rule, tell};
use crate::app::App;
use crate::http::shape::Time;

/// Between looks.
const LOOK: Millis = 1_000;
/// A commit may become visible this much later than its moment.
const OVERLAP: Millis = 60_000;
/// The mark moves in steps, so that a quiet server writes little.
const STEP: Millis = 30_000;
/// Rows that one look takes at a time.
const PAGE: u32 = 200;
/// Schedules and credentials change slowly.
const SLOWLY: Millis = 30_000;
/// A schedule that is due for this long has stopped.
const LATE: Millis = 5 * 60_000;
const DAY: Millis = 24 * 3_600_000;
/// What was sent stays known for this long, and what people were shown.
const KEEP: Millis = 30 * DAY;
const KEEP_SHOWN: Millis = 90 * DAY;

/// Runs that were told of lately; saves work, and nothing rests on it.
#[derive(Default)]
struct Seen {
    runs: HashMap<RunId, Millis>,
    slowly_at: Millis,
    pruned_at: Millis,
}

type Rules = HashMap<OrgId, Vec<(NotificationRuleRecord, Rule)>>;

/// Looks again and again. Never ends; drop it at shutdown.
pub async fn serve(app: Arc<App>) {
    let mut seen = Seen::default();
    loop {
        match look(&app, &mut seen).await {
            Ok(()) => {}
            Err(SealError::Store(StoreError::Closed)) => return,
            Err(error) => tracing::warn!(%error, "it could not be looked at what there is to tell of; trying again"),
        }
        app.clock.sleep_until(app.clock.now() + LOOK).await;
    }
}

async fn look(app: &App, seen: &mut Seen) -> Result<(), SealError> {
    let now = app.clock.now();
    let mark = app.store.watched_until().await?;
    if mark == 0 {
        // What happened before anybody watched is told to nobody.
        return Ok(app.store.watch_until(now).await?);
    }
    let since = mark - OVERLAP;
    let mut rules = Rules::new();
    let mut after = None;
    loop {
        let page = app.store.ended_badly(since, after, PAGE).await?;
        for ended in &page {
            if let std::collections::hash_map::Entry::Vacant(e) = seen.runs.entry(ended.run) {
                run(app, ended, &mut rules).await?;
                e.insert(ended.finished_at);
            }
        }
        after = page.last().map(|ended| (ended.finished_at, ended.run));
        if page.len() < PAGE as usize {
            break;
        }
    }
    if now - mark >= STEP {
        app.store.watch_until(now).await?;
        seen.runs.retain(|_, at| *at >= since);
    }
    if now - seen.slowly_at >= SLOWLY {
        for schedule in app.store.due_schedules(now - LATE, PAGE).await? {
            late(app, &schedule, &mut rules).await?;
        }
        for failing in app.store.failing_triggers(1, PAGE).await? {
            looks_badly(app, &failing, now, &mut rules).await?;
        }
        for expiring in app.store.expiring_credentials(now, now + 7 * DAY).await? {
            expires(app, &expiring, now, &mut rules).await?;
        }
        seen.slowly_at = now;
    }
    if now - seen.pruned_at >= DAY / 24 {
        app.store.prune_messages(now - KEEP).await?;
        app.store.prune_notifications(now - KEEP_SHOWN).await?;
        seen.pruned_at = now;
    }
    Ok(())
}

async fn of<'a>(app: &App, org: OrgId, rules: &'a mut Rules) -> Result<&'a [(NotificationRuleRecord, Rule)], StoreError> {
    if let std::collections::hash_map::Entry::Vacant(place) = rules.entry(org) {
        place.insert(rule::of(app, org).await?);
    }
    Ok(&rules[&org])
}

async fn run(app: &App, ended: &EndedBadly, rules: &mut Rules) -> Result<(), SealError> {
    let rules = of(app, ended.org, rules).await?;
    if rules.is_empty() {
        return Ok(());
    }
    let (Some(header), Some(summary)) = (app.store.header(ended.run).await?, app.store.get_run(ended.org, ended.run).await?) else {
        return Ok(());
    };
    let event = of_run(ended, &header, &summary);
    for (record, rule) in rules {
        // What ended before the rule was made is not its business.
        if ended.finished_at < record.created_at || !rule.concerns(&record.owner, &header.owner, Some(header.plan_id)) {
            continue;
        }
        if rule.wants(Kind::RunFailed) {
            tell(app, record, rule, &format!("run/{}", ended.run), &event).await?;
        }
        if rule.wants(Kind::ScheduleFailing)
            && let Some(slot) = ended.slot
            && has_failed_so_often(app, ended.org, &slot, rule.failures).await?
        {
            let event = of_schedule(ended, &slot, &header, rule.failures);
            tell(app, record, rule, &format!("failing/{}/{}", slot.schedule, slot.due_at), &event).await?;
        }
    }
    Ok(())
}

/// Whether this is the run that makes it so many in a row: the next one is no news.
async fn has_failed_so_often(app: &App, org: OrgId, slot: &Slot, failures: u32) -> Result<bool, StoreError> {
    let endings = app.store.slot_endings(org, slot.schedule, slot.due_at, failures + 1).await?;
    let bad = |status: &RunStatus| !matches!(status, RunStatus::Success | RunStatus::Cancelled);
    let in_a_row = endings.iter().take_while(|status| bad(status)).count();
    Ok(in_a_row == failures as usize)
}

fn of_run(ended: &EndedBadly, header: &RunHeader, summary: &RunSummary) -> Event {
    let name = &header.plan_name;
    let how = match summary.status {
        RunStatus::TimedOut => "took too long",
        RunStatus::NeedsDecision => "waits for somebody to decide",
        RunStatus::Quarantined => "was put aside because it kills its process",
        _ => "failed",
    };
    let why = summary.error.as_ref().map(|fault| format!(" {}: {}", fault.code, fault.message)).unwrap_or_default();
    Event {
        kind: Kind::RunFailed,
        at: ended.finished_at,
        subject: header.plan_id.0,
        title: format!("\"{name}\" {how}"),
        text: format!("The run {} of the plan \"{name}\" {how}.{why}", ended.run),
        data: json!({
            "run_id": ended.run, "plan_id": header.plan_id, "plan_name": name, "status": summary.status, "trigger": summary.trigger,
            "error": summary.error.as_ref().map(|fault| json!({ "code": fault.code, "message": fault.message })),
            "finished_at": Time(ended.finished_at),
        }),
    }
}

fn of_schedule(ended: &EndedBadly, slot: &Slot, header: &RunHeader, failures: u32) -> Event {
    let name = &header.plan_name;
    Event {
        kind: Kind::ScheduleFailing,
        at: ended.finished_at,
        subject: slot.schedule.0,
        title: format!("The schedule of \"{name}\" has failed {failures} times in a row"),
        text: format!("The last {failures} runs that the schedule of \"{name}\" started ended badly; the newest is {}.", ended.run),
        data: json!({
            "schedule_id": slot.schedule, "plan_id": header.plan_id, "plan_name": name, "run_id": ended.run, "failures": failures,
            "due_at": Time(slot.due_at),
        }),
    }
}

async fn late(app: &App, schedule: &ScheduleRecord, rules: &mut Rules) -> Result<(), SealError> {
    let Some(due_at) = schedule.next_due else { return Ok(()) };
    let name = &schedule.plan_name;
    for (record, rule) in of(app, schedule.owner.org, rules).await? {
        if rule.wants(Kind::ScheduleLate) && rule.concerns(&record.owner, &schedule.owner, Some(schedule.plan)) {
            let event = Event {
                kind: Kind::ScheduleLate,
                at: app.clock.now(),
                subject: schedule.id.0,
                title: format!("The schedule of \"{name}\" has stopped"),
                text: format!("The schedule of \"{name}\" was due at {}, and nothing has started since.", Time(due_at).text()),
                data: json!({ "schedule_id": schedule.id, "plan_id": schedule.plan, "plan_name": name, "due_at": Time(due_at) }),
            };
            tell(app, record, rule, &format!("late/{}/{due_at}", schedule.id), &event).await?;
        }
    }
    Ok(())
}

/// A trigger that cannot look for what is new: its runs do not fail, they never come.
async fn looks_badly(app: &App, failing: &FailingTrigger, now: Millis, rules: &mut Rules) -> Result<(), SealError> {
    let FailingTrigger { schedule, plan, plan_name, owner, trigger, standing } = failing;
    let since = standing.failing_since.unwrap_or(now);
    for (record, rule) in of(app, owner.org, rules).await? {
        if standing.failures >= rule.failures && rule.wants(Kind::ScheduleFailing) && rule.concerns(&record.owner, owner, Some(*plan)) {
            let why = standing.error.as_ref().map(|error| format!(" {}: {}", text_of(error, "code"), text_of(error, "message")));
            let event = Event {
                kind: Kind::ScheduleFailing,
                at: now,
                subject: schedule.0,
                title: format!("The trigger \"{trigger}\" of \"{plan_name}\" has stopped"),
                text: format!(
                    "The trigger \"{trigger}\" of \"{plan_name}\" could not look for what is new {} times in a row, since {}.{}",
                    standing.failures,
                    Time(since).text(),
                    why.unwrap_or_default()
                ),
                data: json!({
                    "schedule_id": schedule, "plan_id": plan, "plan_name": plan_name, "trigger_id": trigger, "failures": standing.failures,
                    "failing_since": Time(since), "error": standing.error,
                }),
            };
            tell(app, record, rule, &format!("looks/{schedule}/{since}"), &event).await?;
        }
    }
    Ok(())
}

fn text_of<'e>(error: &'e serde_json::Value, name: &str) -> &'e str {
    error[name].as_str().unwrap_or_default()
}

async fn expires(app: &App, expiring: &Expiring, now: Millis, rules: &mut Rules) -> Result<(), SealError> {
    let Expiring { id, owner, provider, name, expires_at } = expiring;
    let within = if expires_at - now <= DAY { "1d" } else { "7d" };
    for (record, rule) in of(app, owner.org, rules).await? {
        if rule.wants(Kind::CredentialExpiring) && rule.concerns(&record.owner, owner, None) {
            let at = Time(*expires_at).text();
            let event = Event {
                kind: Kind::CredentialExpiring,
                at: now,
                subject: id.0,
                title: format!("The credential \"{name}\" of {provider} expires soon"),
                text: format!(
                    "The credential \"{name}\" of {provider} expires at {at}. Steps that use it fail from then on; store a new one."
                ),
                data: json!({ "credential_id": id, "provider": provider, "name": name, "expires_at": Time(*expires_at) }),
            };
            tell(app, record, rule, &format!("expires/{id}/{expires_at}/{within}"), &event).await?;
        }
    }
    Ok(())
}
