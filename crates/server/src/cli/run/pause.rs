//! `mainspring run pause` and `resume`: makes a run lie down, and lets it go on.

use ::http::Method;
use clap::Args;
use serde_json::json;

use super::resolve;
use super::start::{finish, go_on_with};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::place;
use crate::cli::serve::Egress;

#[derive(Args, Debug)]
pub(super) struct Pause {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN")]
    run: String,
}

pub(super) async fn pause(cx: &Cx, pause: &Pause) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = async {
        let run = resolve(&api, &pause.run).await?;
        api.send(Method::POST, &format!("/api/runs/{run}/pause"), &json!({})).await.map(|answer| (run, answer))
    }
    .await;
    api.close().await;
    let (run, answer) = done?;
    cx.show(&answer, |style, _| {
        format!("{} run {run} starts no further step; `mainspring run resume {run}` lets it go on\n", style.green("✓"))
    })
}

pub(super) async fn resume(cx: &Cx, pause: &Pause) -> Result<Exit, Failure> {
    let place = place::to_run(cx, Egress::Dev).await?;
    let end = async {
        let api = place.api();
        let run = resolve(api, &pause.run).await?;
        api.send(Method::POST, &format!("/api/runs/{run}/resume"), &json!({})).await?;
        go_on_with(cx, &place, run).await
    }
    .await;
    finish(cx, &place, end).await
}
