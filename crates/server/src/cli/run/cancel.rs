//! `mainspring run cancel`: asks a run to end.

use ::http::Method;
use clap::Args;
use serde_json::json;

use super::failures::{self, Many};
use super::resolve;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::place;

#[derive(Args, Debug)]
pub(super) struct Cancel {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN", required_unless_present = "all", conflicts_with = "all")]
    run: Option<String>,
    #[command(flatten)]
    many: Many,
}

pub(super) async fn run(cx: &Cx, cancel: &Cancel) -> Result<Exit, Failure> {
    let Some(run) = &cancel.run else { return failures::each(cx, &cancel.many, "cancel").await };
    let api = place::api(cx).await?;
    let done = async {
        let run = resolve(&api, run).await?;
        api.send(Method::POST, &format!("/api/runs/{run}/cancel"), &json!({})).await.map(|answer| (run, answer))
    }
    .await;
    api.close().await;
    let (run, answer) = done?;
    let answer = if answer.is_null() { json!({ "run": { "id": run }, "cancelled": true }) } else { answer };
    cx.show(&answer, |style, _| format!("{} run {run} was asked to end; `mainspring run show {run}` tells when it has\n", style.green("✓")))
}
