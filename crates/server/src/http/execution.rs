//! A run as the earlier callers know it: an `execution` with its steps counted and their outputs in a list.

use std::pin::pin;

use futures_util::future::{Either, select};
use http::StatusCode;
use mainspring_engine::{Progress, Report, RunHandle};
use mainspring_model::fault::Fault;
use mainspring_model::id::{PlanId, RunId};
use mainspring_model::run::{RunStatus, StepStatus};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::api::Api;
use super::caller::Caller;
use super::history;
use super::problem::Refusable;
use super::reply::Reply;
use super::shape::Id;

#[derive(Serialize, ToSchema)]
pub struct ExecutionAnswer {
    execution: Execution,
    /// `null` while the run goes on.
    success: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct Execution {
    id: Id,
    plan_id: Id,
    /// The run's status.
    #[schema(example = "success")]
    status: &'static str,
    /// Of the plan's top list.
    total_steps: usize,
    completed_steps: usize,
    failed_steps: usize,
    /// By index in the top list; null where a step has none.
    step_outputs: Vec<Value>,
    errors: Vec<StepError>,
}

#[derive(Serialize, ToSchema)]
pub struct StepError {
    /// The step's id; null when the run itself failed.
    step: Option<String>,
    step_number: Option<usize>,
    code: String,
    message: String,
}

/// A run as it stands.
struct Standing {
    id: RunId,
    plan: PlanId,
    status: RunStatus,
    steps: Vec<(String, StepStatus, Option<Fault>)>,
    outputs: Vec<Value>,
    error: Option<Fault>,
}

impl Standing {
    fn body(self) -> ExecutionAnswer {
        let count = |wanted: StepStatus| self.steps.iter().filter(|(_, status, _)| *status == wanted).count();
        let failed = |(number, (id, status, error)): (usize, &(String, StepStatus, Option<Fault>))| {
            let error = error.as_ref().filter(|_| *status == StepStatus::Error)?;
            Some(StepError {
                step: Some(id.clone()),
                step_number: Some(number),
                code: error.code.to_string(),
                message: error.message.clone(),
            })
        };
        let mut errors: Vec<StepError> = self.steps.iter().enumerate().filter_map(failed).collect();
        // A run can fail without a failed step: its output template, its time, or its `finally`.
        if let Some(error) = self.error.filter(|_| errors.is_empty()) {
            errors.push(StepError { step: None, step_number: None, code: error.code.to_string(), message: error.message });
        }
        ExecutionAnswer {
            success: self.status.is_terminal().then_some(self.status == RunStatus::Success),
            execution: Execution {
                id: self.id.into(),
                plan_id: self.plan.into(),
                status: self.status.as_str(),
                total_steps: self.steps.len(),
                completed_steps: count(StepStatus::Success),
                failed_steps: count(StepStatus::Error),
                step_outputs: self.outputs,
                errors,
            },
        }
    }
}

/// 200 for a run that ended here.
pub fn ended(id: RunId, plan: PlanId, report: &Report) -> Reply {
    let standing = Standing {
        id,
        plan,
        status: report.ending.status,
        steps: report.steps.clone(),
        outputs: report.outputs.clone(),
        error: report.ending.error.clone(),
    };
    Reply::ok(&standing.body())
}

/// 200 for a run that ended, 202 with its address while it goes on; read from the store.
pub async fn stored(api: &Api, caller: &Caller, id: RunId) -> Refusable<Reply> {
    let seen = history::load(api, caller, id).await?;
    let tops = seen.plan.list(mainspring_model::plan::Plan::TOP).steps.len();
    let mut standing =
        Standing { id, plan: seen.header.plan_id, status: seen.status(), steps: Vec::new(), outputs: Vec::new(), error: seen.error() };
    for view in seen.steps.into_iter().take(tops) {
        standing.steps.push((view.id, view.status, view.error));
        standing.outputs.push(view.output);
    }
    if standing.status.is_terminal() {
        return Ok(Reply::ok(&standing.body()));
    }
    Ok(Reply::json(StatusCode::ACCEPTED, &standing.body()).location(&format!("/api/runs/{id}")))
}

/// Once the server is closing, callers that wait are held this much longer, in milliseconds.
const LAST_CALL: i64 = 5_000;

/// Resolves when callers are no longer held.
pub async fn held(api: &Api) {
    let limit = api.clock.now().saturating_add(api.mode.answer_within);
    let closing = async {
        api.closing.cancelled().await;
        api.clock.sleep_until(api.clock.now() + LAST_CALL).await;
    };
    select(pin!(api.clock.sleep_until(limit)), pin!(closing)).await;
}

/// Waits for a run to come far enough, for as long as callers are held.
pub async fn wait(api: &Api, handle: &mut RunHandle, enough: impl FnMut(&Progress) -> bool) -> Progress {
    // The run first: most have ended by the time anybody asks, and then no timer is made.
    if let Either::Left((progress, _)) = select(pin!(handle.until(enough)), pin!(held(api))).await {
        return progress;
    }
    handle.progress.borrow().clone()
}
