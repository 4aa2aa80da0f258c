//! `mainspring run cancel`: asks a run to end.

use ::http::Method;
use serde_json::json;

use super::{Named, resolve};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;
use crate::cli::place;

pub(super) async fn run(cx: &Cx, named: &Named) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = async {
        let run = resolve(&api, &named.run).await?;
        api.send(Method::POST, &format!("/api/runs/{run}/cancel"), &json!({})).await.map(|answer| (run, answer))
    }
    .await;
    api.close().await;
    let (run, answer) = done?;
    let answer = if answer.is_null() { json!({ "run": { "id": run }, "cancelled": true }) } else { answer };
    cx.show(&answer, |style, _| format!("{} run {run} was asked to end; `mainspring run show {run}` tells when it has\n", style.green("✓")))
}
