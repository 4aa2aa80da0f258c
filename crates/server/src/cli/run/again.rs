//! `mainspring run retry`, `replay` and `decide`: a run once more, from what it recorded.

use ::http::Method;
use clap::Args;
use mainspring_model::id::RunId;
use mainspring_model::value::from_json;
use serde_json::{Map, Value, json};

use super::failures::{self, Many};
use super::resolve;
use super::start::{finish, go_on_with};
use crate::cli::document::Stdin;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::serve::Egress;
use crate::cli::{inputs, place};

#[derive(Args, Debug)]
pub(super) struct Retry {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN", required_unless_present = "all", conflicts_with = "all")]
    run: Option<String>,
    #[command(flatten)]
    many: Many,
}

#[derive(Args, Debug)]
pub(super) struct Replay {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN")]
    run: String,
    /// A step of the top list: it and what follows from it run again. The whole run without it.
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Another value for an input; the others stay. JSON when it reads as JSON, text otherwise.
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// By the plan as it is now, not as it was when the run was made.
    #[arg(long)]
    latest: bool,
}

#[derive(Args, Debug)]
pub(super) struct Decide {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN")]
    run: String,
    /// The step did its work: go on behind it.
    #[arg(long, required_unless_present = "repeat", conflicts_with = "repeat")]
    done: bool,
    /// What the step gave, as JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "repeat")]
    output: Option<String>,
    /// The step did not do its work: try it again.
    #[arg(long)]
    repeat: bool,
}

pub(super) async fn retry(cx: &Cx, retry: &Retry) -> Result<Exit, Failure> {
    match &retry.run {
        Some(run) => again(cx, run, "retry", async |_, _| Ok(json!({}))).await,
        None => failures::each(cx, &retry.many, "retry").await,
    }
}

pub(super) async fn replay(cx: &Cx, replay: &Replay) -> Result<Exit, Failure> {
    let given = inputs::gather(None, &replay.input, &mut Stdin::default())?;
    again(cx, &replay.run, "replay", async |api, run| {
        let mut body = json!({ "latest": replay.latest });
        if let Some(from) = &replay.from {
            body["from_step"] = json!(from);
        }
        if !replay.input.is_empty() {
            let known = super::get(api, run).await?;
            let mut all = known["inputs"].as_object().cloned().unwrap_or_default();
            all.extend(given.as_object().cloned().unwrap_or_else(Map::new));
            body["inputs"] = Value::Object(all);
        }
        Ok(body)
    })
    .await
}

pub(super) async fn decide(cx: &Cx, decide: &Decide) -> Result<Exit, Failure> {
    let mut body = json!({ "decision": if decide.done { "done" } else { "repeat" } });
    if let Some(output) = &decide.output {
        body["output"] = from_json(output).map_err(|error| Failure::usage(format!("--output is no JSON: {error}")))?;
    }
    again(cx, &decide.run, "resume", async |_, _| Ok(body.clone())).await
}

async fn again(
    cx: &Cx,
    run: &str,
    verb: &str,
    body: impl AsyncFnOnce(&crate::cli::api::Api, RunId) -> Result<Value, Failure>,
) -> Result<Exit, Failure> {
    let place = place::to_run(cx, Egress::Dev).await?;
    let end = async {
        let api = place.api();
        let run = resolve(api, run).await?;
        let body = body(api, run).await?;
        let answer = api.send(Method::POST, &format!("/api/runs/{run}/{verb}"), &body).await?;
        let new = answer["run"]["id"].as_str().and_then(|id| id.parse().ok());
        let new: RunId = new.ok_or_else(|| Failure::internal("the answer names no run"))?;
        cx.note(&format!("run {new} goes on from run {run}"));
        go_on_with(cx, &place, new).await
    }
    .await;
    finish(cx, &place, end).await
}
