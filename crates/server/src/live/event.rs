//! Events as readers get them: small JSON texts of ids, states and times. Values of runs are never in them; they are fetched.

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Event, EventBody};
use mainspring_model::fault::Fault;
use mainspring_model::id::RunId;
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::{NotificationRecord, ScheduleRecord};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::shape::{Id, Time};

/// Of the events' form. Members may be added within one version; readers pass over what they do not know.
pub const VERSION: u32 = 1;

/// A run's own event, named by what happened: `run.queued`, `run.started`, `run.waiting`, `run.resumed`, `run.finished`.
pub fn run(kind: &'static str, at: Millis, run: &RunSummary) -> String {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        at: Time,
        run: RunTold<'a>,
    }
    #[derive(Serialize)]
    struct RunTold<'a> {
        id: Id,
        plan_id: Id,
        plan_version: u32,
        plan_name: &'a str,
        status: &'static str,
        trigger: &'a str,
        created_at: Time,
        #[serde(skip_serializing_if = "Option::is_none")]
        started_at: Option<Time>,
        #[serde(skip_serializing_if = "Option::is_none")]
        finished_at: Option<Time>,
        #[serde(skip_serializing_if = "Option::is_none")]
        wake_at: Option<Time>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    // A start that is told late is told as the start that it was.
    let ended = kind == "run.finished";
    let status = if kind == "run.started" { RunStatus::Running } else { run.status };
    text(&Told {
        kind,
        at: Time(at),
        run: RunTold {
            id: run.id.into(),
            plan_id: run.plan_id.into(),
            plan_version: run.plan_version,
            plan_name: &run.plan_name,
            status: status.as_str(),
            trigger: &run.trigger,
            created_at: Time(run.created_at),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.filter(|_| ended).map(Time),
            wake_at: run.wake_at.filter(|_| kind == "run.waiting").map(Time),
            error: run.error.as_ref().filter(|_| ended).map(|error| error.code.as_str()),
        },
    })
}

/// A run that ended in a way that somebody should look at.
pub fn notice(run: &RunSummary) -> Option<String> {
    let level = match run.status {
        RunStatus::Error | RunStatus::TimedOut => "error",
        RunStatus::NeedsDecision | RunStatus::Quarantined => "warning",
        _ => return None,
    };
    let message = format!("the run of \"{}\" ended in {}", run.plan_name, run.status.as_str());
    Some(text(&json!({
        "type": "notice",
        "at": Time(run.finished_at.unwrap_or(run.created_at)),
        "notice": {
            "level": level,
            "about": "run",
            "status": run.status.as_str(),
            "error": run.error.as_ref().map(|error| error.code.as_str()),
            "message": message,
            "run_id": Id::from(run.id),
            "plan_id": Id::from(run.plan_id),
        },
    })))
}

/// What a rule told its owner.
pub fn notification(told: &NotificationRecord) -> String {
    text(&json!({
        "type": "notification",
        "at": Time(told.created_at),
        "notification": {
            "id": Id::from(told.id),
            "event": told.event,
            "title": told.title,
            "text": told.text,
            "data": told.data,
        },
    }))
}

/// `schedule.created`, `schedule.changed`, `schedule.fired`, `schedule.failed`, `schedule.removed`.
pub fn schedule(kind: &'static str, at: Millis, schedule: &ScheduleRecord) -> String {
    text(&json!({
        "type": kind,
        "at": Time(at),
        "schedule": {
            "id": Id::from(schedule.id),
            "plan_id": Id::from(schedule.plan),
            "plan_name": schedule.plan_name,
            "trigger": schedule.trigger,
            "expression": schedule.expression,
            "timezone": schedule.timezone,
            "next_due": schedule.next_due.map(Time),
            "last_due": schedule.last_due.map(Time),
            "last_status": schedule.last_status.map(RunStatus::as_str),
        },
    }))
}

/// A journal row; `None` for those that only the engine has a use for.
pub fn row(run: RunId, event: &Event) -> Option<String> {
    let (kind, name, mut body) = told(&event.body)?;
    body.retain(|_, value| !value.is_null());
    let mut told = json!({"type": kind, "at": Time(event.at), "run_id": Id::from(run), "seq": event.seq});
    told[name] = Value::Object(body);
    Some(text(&told))
}

fn told(body: &EventBody) -> Option<(&'static str, &'static str, Map<String, Value>)> {
    let step = |kind, body| Some((kind, "step", object(body)));
    let of_run = |kind, body| Some((kind, "run", object(body)));
    let code = |error: Option<&Fault>| error.map(|error| error.code.to_string());
    match body {
        EventBody::Started(started) => step("step.started", json!({"path": started.path, "attempt": started.attempt})),
        EventBody::Attempted(attempted) => {
            let kind = if attempted.status == AttemptStatus::Retrying { "step.retrying" } else { "step.finished" };
            step(
                kind,
                json!({
                    "path": attempted.path,
                    "attempt": attempted.attempt,
                    "status": attempted.status.as_str(),
                    "action": format!("{}.{}", attempted.provider, attempted.action),
                    "latency_ms": attempted.latency_us as f64 / 1_000.0,
                    "error": code(attempted.error.as_ref()),
                    "retry_at": attempted.retry_at.map(Time),
                }),
            )
        }
        EventBody::Skipped { path } => step("step.finished", json!({"path": path, "status": "skipped"})),
        EventBody::Waiting { path, attempt, until } => {
            step("step.waiting", json!({"path": path, "attempt": attempt, "until": Time(*until)}))
        }
        EventBody::Held { path, attempt, until, .. } => {
            step("step.waiting", json!({"path": path, "attempt": attempt, "for": "rate", "until": Time(*until)}))
        }
        EventBody::Called { path, attempt, child } => {
            step("step.waiting", json!({"path": path, "attempt": attempt, "child": Id::from(*child)}))
        }
        EventBody::Awaited { path, attempt, wait } => {
            step("step.waiting", json!({"path": path, "attempt": attempt, "for": wait.kind, "until": wait.until.map(Time)}))
        }
        EventBody::BodyFailed { path, attempt, error, retry_at } => {
            let (kind, status) = if retry_at.is_some() { ("step.retrying", "retrying") } else { ("step.finished", "error") };
            step(
                kind,
                json!({"path": path, "attempt": attempt, "status": status, "error": code(Some(error)), "retry_at": retry_at.map(Time)}),
            )
        }
        EventBody::CancelRequested { .. } => of_run("run.cancelling", json!({})),
        EventBody::TimedOut { .. } => of_run("run.timing_out", json!({})),
        EventBody::Finished(ending) => {
            of_run("run.finished", json!({"status": ending.status.as_str(), "error": code(ending.error.as_ref())}))
        }
        EventBody::Opened { .. } | EventBody::BodyTimedOut { .. } | EventBody::Pass { .. } | EventBody::Closed { .. } => None,
    }
}

fn object(body: Value) -> Map<String, Value> {
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn text<T: Serialize>(told: &T) -> String {
    serde_json::to_string(told).expect("texts, numbers and maps with text keys are JSON")
}
