//! `mainspring run logs`: every attempt of a run.

use clap::Args;
use serde_json::{Value, json};

use super::line::Mark;
use super::resolve;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::place;
use crate::cli::table::Rows;
use crate::cli::text::{latency, moment_of};

#[derive(Args, Debug)]
pub(super) struct Logs {
    #[command(flatten)]
    named: super::Named,
    /// Only attempts that ended so.
    #[arg(long, value_name = "STATUS", value_parser = ["success", "error", "retrying", "cancelled"])]
    status: Option<String>,
    /// Only attempts of this provider.
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// At most so many, the newest ones.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

pub(super) async fn run(cx: &Cx, logs: &Logs) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let found = async {
        let mut query = vec![("run_id", resolve(&api, &logs.named.run).await?.to_string())];
        let filters = [("status", &logs.status), ("provider", &logs.provider)];
        query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        api.list("/api/execution-logs", "logs", &query, logs.limit.max(1)).await
    }
    .await;
    api.close().await;
    let mut found = found?;
    // Newest first is for lists; a run is read from its beginning.
    found.reverse();
    cx.show(&json!({ "logs": found }), |style, width| {
        let mut rows =
            Rows::new(["", "time", "step", "attempt", "action", "status", "latency", "output"], "no attempt was made, or none fits");
        for entry in &found {
            rows.add(row(entry));
        }
        rows.render(width, style)
    })
}

fn row(entry: &Value) -> [String; 8] {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let status = text("status");
    let took = latency((entry["latency_ms"].as_f64().unwrap_or(0.0).max(0.0) * 1_000.0) as u64);
    let result = [text("error"), text("output_preview"), text("message")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let action = format!("{}.{}", text("provider"), text("action"));
    [
        Mark::of_status(&status).glyph().to_string(),
        moment_of(&entry["timestamp"]),
        text("step_id"),
        entry["attempt"].to_string(),
        action,
        status,
        took,
        result,
    ]
}
