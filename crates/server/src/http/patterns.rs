//! Plans that came from pattern documents, answering in the shapes of the earlier orchestrator.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use mainspring_engine::Start;
use mainspring_model::Problem as Finding;
use mainspring_model::id::RunId;
use mainspring_model::run::{RunStatus, StepStatus};
use mainspring_model::store::PlanRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::body::Write;
use super::caller::Caller;
use super::execution;
use super::history::{self, Seen};
use super::plan_body;
use super::problem::{Problem, Refusable};
use super::reach::Reach;
use super::reply::Reply;
use super::shape::Time;

/// As the earlier callers had it: more is no input of a pattern, in characters of JSON.
const MOST_INPUT: usize = 10_000;

#[derive(Deserialize, ToSchema)]
pub struct ExecutePattern {
    /// The pattern's id. `portfolio_overview` when it is left out.
    pattern: Option<String>,
    /// At most 10,000 characters as JSON.
    #[serde(default, alias = "params")]
    #[schema(value_type = Object)]
    inputs: Value,
    #[serde(default)]
    require_fresh: bool,
    /// More of the context that the pattern reads as `{{ctx.…}}`, such as `pricing_pack_id`.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Value,
}

#[derive(Serialize, ToSchema)]
pub struct PatternAnswer {
    /// `success`, or the run's status while it goes on.
    status: &'static str,
    /// The pattern's outputs by name; null where a step was skipped.
    #[schema(value_type = Object)]
    data: Value,
    /// What was done, step by step, and where it came from.
    #[schema(value_type = Object)]
    trace: Value,
    timestamp: Time,
    /// `{overall, types_used, warnings}`.
    #[schema(value_type = Object)]
    data_provenance: Value,
}

/// Run a pattern
///
/// For plans that came from pattern documents. A failure is a problem document with the failed step's code.
#[utoipa::path(post, path = "/api/patterns/execute", tag = "earlier names", request_body = ExecutePattern, responses(
    (status = 200, body = PatternAnswer), (status = 202, description = "The run goes on.", body = PatternAnswer)))]
pub async fn execute_pattern(State(api): Shared, write: Write<ExecutePattern>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    if body.inputs.to_string().chars().count() > MOST_INPUT {
        return Err(Problem::invalid(Finding::new(
            "INVALID_VALUE",
            "/inputs",
            format!("the inputs have more than {MOST_INPUT} characters"),
        )));
    }
    let id = body.pattern.unwrap_or_else(|| "portfolio_overview".to_owned());
    let mut context = object(body.context, "/context")?;
    context.insert("require_fresh".to_owned(), body.require_fresh.into());
    let done = run(&api, &caller, &id, body.inputs, context).await?;
    let provenance = done.trace["data_provenance"].clone();
    let answer = PatternAnswer {
        status: done.status.as_str(),
        data: done.data,
        trace: done.trace,
        timestamp: Time(api.clock.now()),
        data_provenance: provenance,
    };
    Ok(Reply::json(status_of(done.status), &answer))
}

#[derive(Deserialize, ToSchema)]
pub struct ExecuteById {
    pattern_id: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    inputs: Value,
    #[serde(default = "yes")]
    require_fresh: bool,
    asof_date: Option<String>,
    portfolio_id: Option<String>,
    /// More of the context that the pattern reads as `{{ctx.…}}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Value,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, ToSchema)]
pub struct ExecutedById {
    /// `{data, charts, trace}`.
    #[schema(value_type = Object)]
    result: Value,
    metadata: PatternMetadata,
    warnings: Vec<String>,
    trace_id: String,
}

#[derive(Serialize, ToSchema)]
pub struct PatternMetadata {
    #[schema(value_type = Option<String>)]
    pricing_pack_id: Value,
    #[schema(value_type = Option<String>)]
    ledger_commit_hash: Value,
    pattern_id: String,
    asof_date: Option<String>,
    duration_ms: i64,
    timestamp: Time,
}

/// Run a pattern by its id
#[utoipa::path(post, path = "/v1/execute", tag = "earlier names", request_body = ExecuteById, responses(
    (status = 200, body = ExecutedById), (status = 202, description = "The run goes on.", body = ExecutedById)))]
pub async fn execute_by_id(State(api): Shared, write: Write<ExecuteById>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let began = api.clock.now();
    let mut context = object(body.context, "/context")?;
    context.insert("require_fresh".to_owned(), body.require_fresh.into());
    for (name, value) in [("asof_date", &body.asof_date), ("portfolio_id", &body.portfolio_id)] {
        if let Some(value) = value {
            context.insert(name.to_owned(), value.clone().into());
        }
    }
    let done = run(&api, &caller, &body.pattern_id, body.inputs, context).await?;
    let now = api.clock.now();
    let of_trace = |name: &str| done.trace[name].clone();
    let warnings = done.trace["data_provenance"]["warnings"].as_array().into_iter().flatten();
    let answer = ExecutedById {
        metadata: PatternMetadata {
            pricing_pack_id: of_trace("pricing_pack_id"),
            ledger_commit_hash: of_trace("ledger_commit_hash"),
            pattern_id: body.pattern_id,
            asof_date: body.asof_date,
            duration_ms: now - began,
            timestamp: Time(now),
        },
        warnings: warnings.filter_map(Value::as_str).map(str::to_owned).collect(),
        trace_id: of_trace("trace_id").as_str().unwrap_or_default().to_owned(),
        // How a result is drawn is not a plan's: there are no charts.
        result: json!({ "data": done.data, "charts": [], "trace": done.trace }),
    };
    Ok(Reply::json(status_of(done.status), &answer))
}

fn status_of(status: RunStatus) -> StatusCode {
    if status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED }
}

fn object(value: Value, pointer: &str) -> Refusable<Map<String, Value>> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::invalid(Finding::new("WRONG_TYPE", pointer, "this must be an object").expected("an object"))),
    }
}

struct Done {
    status: RunStatus,
    data: Value,
    trace: Value,
}

async fn run(api: &Arc<Api>, caller: &Caller, id: &str, inputs: Value, mut context: Map<String, Value>) -> Refusable<Done> {
    let known = find(api, caller, id).await?;
    let plan = api.engine.plan(&caller.owner, known.id, plan_body::published(&known)?).await?;
    let mut inputs = object(inputs, "/inputs")?;
    let trace_id = api.engine.new_id().to_string();
    context.insert("trace_id".to_owned(), trace_id.clone().into());
    context.insert("user_id".to_owned(), json!(caller.owner.user));
    context.insert("timestamp".to_owned(), Time(api.clock.now()).text().into());
    if let Some(portfolio) = inputs.get("portfolio_id").filter(|_| !context.contains_key("portfolio_id")).cloned() {
        context.insert("portfolio_id".to_owned(), portfolio);
    }
    inputs.insert("ctx".to_owned(), Value::Object(context.clone()));
    let accepted = plan.plan.inputs.accept(&Value::Object(inputs)).map_err(Problem::invalid_all)?;
    let mut handle = api.engine.start(Start::manual(caller.owner, plan, accepted)).await?;
    let run = handle.accepted().await?;
    execution::wait(api, &mut handle, |progress| progress.ended.is_some() || progress.parked || progress.gone).await;
    let seen = history::load(api, caller, run).await?;
    if let Some(error) = seen.error() {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.code.to_string(), error.message.clone());
        return Err(problem.member("run_id", run.to_string()).member("pattern_id", id));
    }
    Ok(Done {
        status: seen.status(),
        data: seen.ending().map(|ending| ending.output.clone()).unwrap_or_default(),
        trace: trace(id, run, &trace_id, &context, &known, &seen),
    })
}

/// The plan that came from the pattern of this id.
async fn find(api: &Api, caller: &Caller, id: &str) -> Refusable<PlanRecord> {
    let reach = Reach::of(api, caller).await?;
    let found = api.store.plan_by_name(caller.owner.org, id).await?.filter(|plan| reach.sees(plan.id));
    let found = found.filter(|plan| plan.document["vars"]["pattern"]["id"] == id);
    found.ok_or_else(|| Problem::not_found(format_args!("the pattern \"{}\"", id.chars().take(60).collect::<String>())))
}

fn trace(id: &str, run: RunId, trace_id: &str, context: &Map<String, Value>, plan: &PlanRecord, seen: &Seen) -> Value {
    let written = plan.document["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |name: &str| context.get(name).cloned().unwrap_or_default();
    let (mut steps, mut agents, mut capabilities, mut types) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for view in &seen.steps {
        let Some(step) = written.iter().find(|step| step["id"] == view.id.as_str()) else { continue };
        let capability = step["name"].as_str().unwrap_or_default();
        let args = if step["action"] == "logic.call" { step["params"]["inputs"].clone() } else { step["params"].clone() };
        let mut told = json!({ "capability": capability, "args": args, "success": view.status == StepStatus::Success });
        match view.status {
            StepStatus::Skipped => {
                told["skipped"] = true.into();
                told["reason"] = "its condition is false".into();
            }
            StepStatus::NotReached | StepStatus::Pending | StepStatus::Cancelled => {}
            _ => {
                agents.insert(capability.split('.').next().unwrap_or_default().to_owned());
                capabilities.insert(capability.to_owned());
                let latency: f64 = view.attempts.iter().map(|attempt| attempt.latency_ms).sum();
                told["duration_seconds"] = json!(latency / 1_000.0);
                if let Some(error) = &view.error {
                    told["error"] = error.message.clone().into();
                }
                let provenance = provenance(&view.output);
                types.insert(provenance.to_owned());
                told["provenance"] = provenance.into();
            }
        }
        steps.push(told);
    }
    let overall = match types.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => "unknown".to_owned(),
        [one] => (*one).to_owned(),
        _ => "mixed".to_owned(),
    };
    let warnings: Vec<String> = if types.contains("stub") { vec!["some of the data is made up (stub)".to_owned()] } else { Vec::new() };
    json!({
        "pattern_id": id, "run_id": run, "trace_id": trace_id, "request_id": of("request_id"),
        "pricing_pack_id": of("pricing_pack_id"), "ledger_commit_hash": of("ledger_commit_hash"),
        "agents_used": agents, "capabilities_used": capabilities, "sources": [], "per_panel_staleness": [], "steps": steps,
        // Nothing is answered from a cache.
        "cache_stats": { "hits": 0, "misses": capabilities.len(), "hit_rate": 0.0 },
        "data_provenance": { "overall": overall, "types_used": types, "warnings": warnings },
    })
}

/// What a result says of itself in `_provenance` (a word, or an object with `type`); nothing is claimed for it.
fn provenance(output: &Value) -> &str {
    let said = &output["_provenance"];
    match said.as_str().or_else(|| said["type"].as_str()) {
        Some(known @ ("real" | "cached" | "computed" | "stub")) => known,
        _ => "unknown",
    }
}
