//! A run as people read it: each step with its attempts, made from the journal.

use std::collections::HashMap;
use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::event::{AttemptStatus, Event, EventBody};
use mainspring_model::fault::Fault;
use mainspring_model::plan::Plan;
use mainspring_model::run::{RunHeader, StepStatus};
use serde::Serialize;
use serde_json::{Map, Value};

use super::receipt::{self, Receipt};
use super::{Illegal, Run, RunKeys};

/// A step, or one item or pass of it, with its attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// The step's path: its id, for steps of the top list.
    pub id: String,
    /// Zero-based index in the top list of the step or of the one that encloses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_number: Option<u32>,
    pub action: String,
    pub status: StepStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    pub output: Value,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// When a waiting step goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// What became of its effect outside, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Receipt>,
    pub attempts: Vec<AttemptView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptView {
    pub attempt: u32,
    pub status: AttemptStatus,
    pub ended_at: Millis,
    pub latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
}

/// Every step of the top list in list order, then the units inside bodies and the plan's own lists as they first appear.
///
/// # Errors
/// [`Illegal`] when the journal does not fit the plan.
pub fn steps(plan: &Arc<Plan>, header: &Arc<RunHeader>, keys: Arc<dyn RunKeys>, history: &[Event]) -> Result<Vec<StepView>, Illegal> {
    let run = Run::replay(plan.clone(), header.clone(), keys.clone(), history.to_vec())?;
    let mut views: Vec<StepView> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (number, (ix, (id, status, error))) in plan.list(Plan::TOP).steps.iter().zip(run.top_steps()).enumerate() {
        let step = plan.step(*ix);
        let mut view = blank(id, u32::try_from(number).ok(), action_of(step));
        view.status = status;
        view.error = error;
        places.insert(view.id.clone(), views.len());
        views.push(view);
    }
    for (view, output) in views.iter_mut().zip(run.top_outputs()) {
        view.output = output;
    }
    let tops = views.len();
    for event in history {
        let path = match &event.body {
            EventBody::Attempted(attempted) => &attempted.path,
            EventBody::Waiting { path, .. }
            | EventBody::Held { path, .. }
            | EventBody::Called { path, .. }
            | EventBody::Awaited { path, .. }
            | EventBody::Skipped { path }
            | EventBody::BodyFailed { path, .. } => path,
            _ => continue,
        };
        let place = *places.entry(path.clone()).or_insert_with(|| {
            let action = match &event.body {
                EventBody::Attempted(attempted) => format!("{}.{}", attempted.provider, attempted.action),
                _ => String::new(),
            };
            views.push(blank(path.clone(), None, action));
            views.len() - 1
        });
        note(&mut views[place], event, place < tops);
    }
    let mut receipts = receipt::of(plan, header, &*keys, history);
    for view in &mut views {
        view.effect = receipts.remove(&view.id);
    }
    Ok(views)
}

fn note(view: &mut StepView, event: &Event, is_top: bool) {
    match &event.body {
        EventBody::Attempted(attempted) => {
            view.step_number = view.step_number.or(attempted.step_number);
            view.attempts.push(AttemptView {
                attempt: attempted.attempt,
                status: attempted.status,
                ended_at: event.at,
                latency_ms: attempted.latency_us as f64 / 1_000.0,
                error: attempted.error.clone(),
                retry_at: attempted.retry_at,
            });
            view.message.clone_from(&attempted.message);
            view.metadata.clone_from(&attempted.metadata);
            view.port.clone_from(&attempted.port);
            view.until = attempted.retry_at;
            if !is_top {
                view.output.clone_from(&attempted.output);
                view.error.clone_from(&attempted.error);
                view.status = match attempted.status {
                    AttemptStatus::Success => StepStatus::Success,
                    AttemptStatus::Error => StepStatus::Error,
                    AttemptStatus::Retrying => StepStatus::Waiting,
                    AttemptStatus::Cancelled => StepStatus::Cancelled,
                };
            }
        }
        EventBody::Waiting { until, .. } | EventBody::Held { until, .. } => {
            view.until = Some(*until);
            if !is_top {
                view.status = StepStatus::Waiting;
            }
        }
        EventBody::Called { .. } if !is_top => view.status = StepStatus::Waiting,
        EventBody::Awaited { wait, .. } => {
            view.until = wait.until;
            if !is_top {
                view.status = StepStatus::Waiting;
            }
        }
        EventBody::Skipped { .. } if !is_top => view.status = StepStatus::Skipped,
        EventBody::BodyFailed { error, retry_at, .. } if !is_top => {
            view.error = Some(error.clone());
            view.status = if retry_at.is_some() { StepStatus::Waiting } else { StepStatus::Error };
        }
        _ => {}
    }
}

fn blank(id: String, step_number: Option<u32>, action: String) -> StepView {
    StepView {
        id,
        step_number,
        action,
        status: StepStatus::Pending,
        port: None,
        output: Value::Null,
        message: String::new(),
        metadata: Map::new(),
        error: None,
        until: None,
        effect: None,
        attempts: Vec::new(),
    }
}

fn action_of(step: &mainspring_model::plan::Step) -> String {
    match &step.kind {
        mainspring_model::plan::StepKind::Action(action) => format!("{}.{}", action.provider, action.action),
        mainspring_model::plan::StepKind::Body(_) => "steps".to_owned(),
    }
}
