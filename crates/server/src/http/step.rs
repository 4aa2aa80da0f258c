//! One step alone, for trying an action while a plan is written: nothing is stored.

use std::pin::pin;
use std::sync::Arc;

use axum::extract::State;
use futures_util::future::{Either, select};
use mainspring_engine::StepResult;
use mainspring_model::Problem as Finding;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::body::Write;
use super::problem::{FieldError, Problem, Refusable};
use super::reply::Reply;
use super::step_plan::step_plan;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteStep {
    /// As it stands in a plan.
    #[schema(value_type = Object, example = json!({"action": "http.request", "params": {"url": "https://example.com"}}))]
    step: Value,
    /// What the steps before it gave: a list, or an object by index or step id.
    #[serde(default)]
    step_results: Option<Value>,
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: Value,
    /// Taken from earlier callers and not looked at.
    #[serde(default, rename = "plan_id")]
    #[schema(ignore)]
    _plan_id: Value,
    /// Taken from earlier callers and not looked at.
    #[serde(default, rename = "step_number")]
    #[schema(ignore)]
    _step_number: Value,
}

/// How the step ended.
#[derive(Serialize, ToSchema)]
pub struct StepAnswer {
    success: bool,
    output: Value,
    message: String,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The error's code.
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error_detail: Option<Value>,
}

impl StepAnswer {
    fn failed(code: &str, message: String, detail: Value) -> StepAnswer {
        StepAnswer {
            success: false,
            output: Value::Null,
            message,
            metadata: Map::new(),
            error: Some(code.to_owned()),
            error_detail: Some(detail),
        }
    }

    fn fault(fault: &Fault) -> StepAnswer {
        StepAnswer::failed(fault.code.as_str(), fault.message.clone(), fault.to_value())
    }

    /// The step could not be read: all findings at once, in the place of an error.
    fn unread(findings: Vec<Finding>) -> StepAnswer {
        let first = findings.first().cloned().unwrap_or_else(|| Finding::new("INVALID_PARAMS", "", "the step cannot be read"));
        let errors: Vec<FieldError> = findings.into_iter().map(FieldError::from).collect();
        let detail = json!({"code": first.code, "class": "input", "message": first.message, "retryable": false, "effect": "unsent", "details": {"errors": errors}});
        StepAnswer::failed(&first.code, first.message, detail)
    }
}

impl From<StepResult> for StepAnswer {
    fn from(result: StepResult) -> StepAnswer {
        match &result.error {
            Some(fault) => StepAnswer { metadata: result.metadata.clone(), ..StepAnswer::fault(fault) },
            None => StepAnswer {
                success: true,
                output: result.output,
                message: result.message,
                metadata: result.metadata,
                error: None,
                error_detail: None,
            },
        }
    }
}

/// Run one step alone
///
/// One attempt, nothing is journalled. A failed action, an unknown provider and bad params are 200 with `success: false`.
#[utoipa::path(post, path = "/api/execute-step", tag = "runs", request_body = ExecuteStep, responses((status = 200, body = StepAnswer)))]
pub async fn execute_step(State(api): Shared, write: Write<ExecuteStep>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    if !body.inputs.is_null() && !body.inputs.is_object() {
        return Err(Problem::invalid(Finding::new("WRONG_TYPE", "/inputs", "inputs must be an object").expected("an object")));
    }
    let built = step_plan(body.step, body.step_results).map_err(Problem::invalid)?;
    let before = built.earlier.len();
    let checked = match plan::load_value(built.document, &*api.catalog, &caller.owner) {
        Ok(checked) => checked,
        Err(findings) => {
            return Ok(Reply::ok(&StepAnswer::unread(findings.into_iter().map(|finding| in_the_body(finding, before)).collect())));
        }
    };
    let inputs = if body.inputs.is_null() { json!({}) } else { body.inputs };
    let tried = try_step(&api, caller.owner, checked.plan, inputs, built.earlier).await;
    match tried {
        Err(fault) if fault.code == Code::INTERNAL => Err(Problem::internal(fault)),
        Err(fault) => Ok(Reply::ok(&StepAnswer::fault(&fault))),
        Ok(result) => Ok(Reply::ok(&StepAnswer::from(result))),
    }
}

async fn try_step(
    api: &Api,
    owner: mainspring_model::id::Owner,
    plan: plan::Plan,
    inputs: Value,
    earlier: Vec<Value>,
) -> Result<StepResult, Fault> {
    let late = async { api.clock.sleep_until(api.clock.now().saturating_add(api.mode.answer_within)).await };
    match select(pin!(api.engine.rehearse(owner, Arc::new(plan), inputs, earlier)), pin!(late)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            let seconds = api.mode.answer_within / 1_000;
            Err(Fault::new(Code::TIMEOUT, format!("the step took longer than the {seconds} s that a try has; run its plan instead")))
        }
    }
}

/// `/steps/<n>/params/url` of the little plan is `/step/params/url` of the body.
fn in_the_body(mut finding: Finding, before: usize) -> Finding {
    if let Some(rest) = finding.pointer.strip_prefix(&format!("/steps/{before}")) {
        finding.pointer = format!("/step{rest}");
    }
    finding
}
