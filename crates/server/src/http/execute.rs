//! Starting a plan by hand, and waiting for it or not.

use std::sync::Arc;

use axum::extract::State;
use mainspring_engine::triggers::{self, Refused, Sight};
use mainspring_engine::{LoadedPlan, Start};
use mainspring_model::Problem as Finding;
use mainspring_model::flow::Priority;
use mainspring_model::id::{PlanId, SignalId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::body::Write;
use super::caller::Caller;
use super::elsewhere;
use super::execution::{self, ExecutionAnswer};
use super::idempotency::{Once, once};
use super::plan_body;
use super::plans;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::samples;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    #[serde(alias = "execution_plan_id")]
    #[schema(format = "uuid")]
    plan_id: String,
    /// By the plan's `inputs`.
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: Value,
    /// As a webhook's body: `trigger.body`, from which the plan's inputs are taken by name when `inputs` is left out.
    #[serde(default)]
    #[schema(value_type = Object)]
    trigger_data: Value,
    /// Run it as a sample that came to a test address of its webhook would: `trigger` and the inputs are the sample's.
    #[schema(value_type = Option<String>, format = "uuid")]
    sample: Option<SignalId>,
    /// Hold the caller until the run ends (or begins to wait, or 60 s).
    #[serde(default = "yes")]
    wait: bool,
    /// Run the draft instead of what is published.
    #[serde(default)]
    draft: bool,
    /// `low`, `normal` or `high`: which queued runs go first. The plan's own unless written.
    #[schema(value_type = Option<String>, example = "high")]
    priority: Option<Priority>,
}

fn yes() -> bool {
    true
}

/// Run a plan
///
/// A failed run is 200 with `success: false`. 202 with `Location` when `wait` is false, when the run begins to wait, or when it
/// still goes after 60 s.
#[utoipa::path(post, path = "/api/execute", tag = "runs", request_body = Execute, params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 200, description = "The run ended.", body = ExecutionAnswer),
    (status = 202, description = "The run goes on.", body = ExecutionAnswer, headers(("Location" = String))),
))]
pub async fn execute_plan(State(api): Shared, write: Write<Execute>) -> Refusable<Reply> {
    execute(api, write).await
}

/// Run a plan
#[utoipa::path(post, path = "/api/execute-plan", tag = "earlier names", request_body = Execute, responses((status = 200, body = ExecutionAnswer), (status = 202, body = ExecutionAnswer)))]
pub async fn execute_execution_plan(State(api): Shared, write: Write<Execute>) -> Refusable<Reply> {
    execute(api, write).await
}

async fn execute(api: Arc<Api>, write: Write<Execute>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let running = api.clone();
    once(api, caller, key.clone(), async move { run(&running, &caller, body, key).await }).await
}

async fn run(api: &Api, caller: &Caller, wanted: Execute, key: Option<Once>) -> Refusable<Reply> {
    let shown: String = wanted.plan_id.chars().take(60).collect();
    let id: PlanId = wanted.plan_id.parse().map_err(|_| Problem::not_found(format_args!("plan \"{shown}\"")))?;
    let known = plans::find(api, caller, id).await?;
    let version = match (wanted.draft, known.draft) {
        (false, _) => plan_body::published(&known)?,
        (true, Some(draft)) => draft,
        (true, None) => return Err(Problem::conflict(format!("the plan \"{}\" has no draft", known.name))),
    };
    let plan = api.engine.plan(&caller.owner, id, version).await?;
    let mut start = match wanted.sample {
        Some(sample) => by_sample(api, caller, plan, sample, &wanted).await?,
        None => {
            let names = plan.plan.inputs.names();
            let given = if wanted.inputs.is_null() { by_name(&names, &wanted.trigger_data)? } else { wanted.inputs };
            let inputs = plan.plan.inputs.accept(&given).map_err(Problem::invalid_all)?;
            let mut start = Start::manual(caller.owner, plan, inputs);
            if !wanted.trigger_data.is_null() {
                start.trigger = json!({"type": "manual", "body": wanted.trigger_data});
            }
            start
        }
    };
    start.priority = wanted.priority;
    start.key = key.map(|key| key.for_run());
    let mut handle = api.engine.start(start).await?;
    let run = handle.accepted().await?;
    if !wanted.wait || run != handle.id {
        return execution::stored(api, caller, run).await;
    }
    if elsewhere::is_elsewhere(api, &handle) {
        elsewhere::wait(api, caller.owner.org, run, false).await?;
        return execution::stored(api, caller, run).await;
    }
    match execution::wait(api, &mut handle, |progress| progress.ended.is_some() || progress.parked || progress.gone).await.ended {
        Some(report) => Ok(execution::ended(run, id, &report)),
        None => execution::stored(api, caller, run).await,
    }
}

/// As the webhook would have started it. Whether its call was rightly signed is not asked: who may run the plan may run it with this.
async fn by_sample(api: &Api, caller: &Caller, plan: LoadedPlan, sample: SignalId, wanted: &Execute) -> Refusable<Start> {
    if !wanted.inputs.is_null() || !wanted.trigger_data.is_null() {
        let message = "a \"sample\" brings its inputs; leave \"inputs\" and \"trigger_data\" out";
        return Err(Problem::invalid(Finding::new("CONFLICTING_FIELDS", "/sample", message)));
    }
    let org = caller.owner.org;
    let mut found = samples::sample(api, org, plan.id, sample).await?;
    let seen = found.data["trigger"].take();
    let variables = api.engine.org_of_triggers(org).await?;
    let sight = Sight { trigger: &seen, org: &variables, now: api.clock.now() };
    let (root, inputs) = match triggers::alone(&plan.plan, samples::trigger_of(&plan, &seen)?, sight) {
        Ok(Some(run)) => run,
        Ok(None) => return Err(Problem::conflict("the sample starts nothing: the trigger's `if` is false")),
        Err(Refused::Inputs(findings)) => return Err(Problem::invalid_all(findings)),
        Err(Refused::Fault(fault)) => return Err(fault.into()),
    };
    let mut start = Start::manual(caller.owner, plan, inputs);
    start.trigger = root;
    Ok(start)
}

/// The declared inputs out of trigger data; a plan without any takes all of it.
fn by_name(names: &[&str], data: &Value) -> Refusable<Value> {
    match data {
        Value::Null => Ok(Value::Null),
        Value::Object(fields) if names.is_empty() => Ok(Value::Object(fields.clone())),
        Value::Object(fields) => {
            let known = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
            Ok(Value::Object(known.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()))
        }
        _ => Err(Problem::invalid(Finding::new("WRONG_TYPE", "/trigger_data", "trigger_data must be an object").expected("an object"))),
    }
}
