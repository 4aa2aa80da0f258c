//! `mainspring run failures`, and the commands for many runs at once: `retry --all`, `cancel --all`.

use ::http::Method;
use clap::Args;
use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

use crate::cli::api::Api;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::table::Rows;
use crate::cli::text::moment_of;
use crate::cli::{place, plan};

#[derive(Args, Debug)]
pub(super) struct Failures {
    /// Only runs of this plan (name or id).
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
}

/// Which runs are meant by `--all`.
#[derive(Args, Debug)]
pub(super) struct Many {
    /// Every run that `--plan`, `--status` and `--like` let through, the oldest first.
    #[arg(long)]
    pub(super) all: bool,
    /// Only runs of this plan (name or id).
    #[arg(long, value_name = "PLAN", requires = "all")]
    plan: Option<String>,
    /// Only runs in this state.
    #[arg(long, value_name = "STATUS", requires = "all", value_parser = super::list::status)]
    status: Option<RunStatus>,
    /// Only runs that failed in this way: a fingerprint of `mainspring run failures`.
    #[arg(long, value_name = "FINGERPRINT", requires = "all")]
    like: Option<String>,
}

pub(super) async fn run(cx: &Cx, failures: &Failures) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let found = async {
        let mut query: Vec<(&str, String)> = Vec::new();
        if let Some(plan) = &failures.plan {
            query.push(("plan_id", plan_id(&api, plan).await?));
        }
        api.get("/api/runs/failures", &query).await
    }
    .await;
    api.close().await;
    let found = found?;
    cx.show(&found, |style, width| {
        let mut rows = Rows::new(["count", "plan", "step", "code", "last", "fingerprint", "message"], "no run has failed");
        for group in found["failures"].as_array().into_iter().flatten() {
            let text = |name: &str| group[name].as_str().unwrap_or_default().to_owned();
            let (count, last) = (group["count"].to_string(), moment_of(&group["last_at"]));
            rows.add([count, text("plan_name"), text("step"), text("code"), last, text("fingerprint"), text("message")]);
        }
        rows.render(width, style)
    })
}

async fn plan_id(api: &Api, name: &str) -> Result<String, Failure> {
    Ok(plan::find(api, name).await?["id"].as_str().unwrap_or_default().to_owned())
}

/// Calls an operation for many runs until none is left.
pub(super) async fn each(cx: &Cx, many: &Many, verb: &str) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = until_done(cx, &api, many, verb).await;
    let is_here = api.app().is_some();
    api.close().await;
    let (done, refused) = done?;
    let word = if verb == "retry" { "retried" } else { "cancelled" };
    if is_here && !done.is_empty() {
        cx.note("a server goes on with them: `mainspring serve`; or `mainspring run --resume RUN` with one");
    }
    let exit = cx.show(&json!({ word: done, "refused": refused }), |style, _| {
        let runs = if done.len() == 1 { "1 run".to_owned() } else { format!("{} runs", done.len()) };
        let mut text = format!("{} {word}: {runs}\n", style.green("✓"));
        for one in &refused {
            let (run, detail) = (one["run_id"].as_str().unwrap_or_default(), one["detail"].as_str().unwrap_or_default());
            text += &format!("{} {run}: {detail}\n", style.red("✗"));
        }
        text
    })?;
    Ok(if refused.is_empty() { exit } else { Exit::Conflict })
}

async fn until_done(cx: &Cx, api: &Api, many: &Many, verb: &str) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let mut body = json!({});
    if let Some(plan) = &many.plan {
        body["plan_id"] = json!(plan_id(api, plan).await?);
    }
    if let Some(status) = many.status {
        body["status"] = json!(status.as_str());
    }
    if let Some(like) = &many.like {
        body["fingerprint"] = json!(like);
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    loop {
        let answer = api.send(Method::POST, &format!("/api/runs/{verb}"), &body).await?;
        let part = if verb == "retry" { &answer["retried"] } else { &answer["cancelled"] };
        let part = part.as_array().cloned().unwrap_or_default();
        refused = answer["refused"].as_array().cloned().unwrap_or(refused);
        // What is retried may fail again: only runs from before the first call are meant.
        body["until"] = answer["until"].clone();
        let is_over = part.is_empty() || answer["more"] != json!(true);
        done.extend(part);
        if is_over {
            if answer["more"] == json!(true) {
                cx.note("there are older ones that were not looked at: narrow by --plan or --status");
            }
            return Ok((done, refused));
        }
    }
}
