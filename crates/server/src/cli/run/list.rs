//! `mainspring run list`: the newest runs, one a line.

use clap::Args;
use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

use super::line::Mark;
use super::summary::fault;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::table::Rows;
use crate::cli::text::{latency, millis_of, moment_of};
use crate::cli::{place, plan};

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only runs of this plan (name or id).
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Only runs in this state.
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<RunStatus>,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) fn status(text: &str) -> Result<RunStatus, String> {
    RunStatus::parse(text).ok_or_else(|| {
        let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is one of {}", known.join(", "))
    })
}

pub(super) async fn run(cx: &Cx, list: &List) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let found = async {
        let mut query: Vec<(&str, String)> = Vec::new();
        if let Some(plan) = &list.plan {
            query.push(("plan_id", plan::find(&api, plan).await?["id"].as_str().unwrap_or_default().to_owned()));
        }
        if let Some(status) = list.status {
            query.push(("status", status.as_str().to_owned()));
        }
        api.list("/api/runs", "runs", &query, list.limit.max(1)).await
    }
    .await;
    api.close().await;
    let runs = found?;
    cx.show(&json!({ "runs": runs }), |style, width| {
        let mut rows = Rows::new(
            ["", "id", "plan", "status", "trigger", "created", "took", "error"],
            "there is no such run; `mainspring run FILE` makes one",
        );
        for run in &runs {
            rows.add(row(run));
        }
        rows.render(width, style)
    })
}

fn row(run: &Value) -> [String; 8] {
    let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
    let status = text("status");
    let took = match (millis_of(&run["created_at"]), millis_of(&run["finished_at"])) {
        (Some(from), Some(to)) => latency(u64::try_from((to - from).max(0)).unwrap_or(0) * 1_000),
        _ => String::new(),
    };
    let error = if run["error"].is_object() { fault(&run["error"]) } else { String::new() };
    let trigger = run["trigger"]["type"].as_str().map_or_else(|| text("trigger"), str::to_owned);
    [
        Mark::of_status(&status).glyph().to_string(),
        text("id"),
        text("plan_name"),
        status,
        trigger,
        moment_of(&run["created_at"]),
        took,
        error,
    ]
}
