//! One run that makes 1,000 GETs to a local server, each journalled, beside the bare client.

use mainspring_model::clock::Clock;
use serde_json::{Value, json};

use super::child::Server;
use super::load::{self, Load};
use super::table::Row;
use super::{Options, local, plans};
use crate::wire::SystemClock;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let count: usize = if options.quick { 100 } else { 1_000 };
    let data = options.folder.join("fanout");
    drop(std::fs::remove_dir_all(&data));
    let server = Server::start(&data).await?;
    let target = local::start()?;
    let plan = server.save(&plans::fan_out(100)).await?;
    let items: Vec<usize> = (0..count).collect();
    let body = json!({"plan_id": plan, "inputs": {"base": format!("http://{target}"), "items": items}});
    let clock = SystemClock::new();
    let mut best = u64::MAX;
    for _ in 0..5 {
        let began = clock.monotonic_us();
        let answer = server.call(&load::post("/api/execute", &body.to_string()), 200).await?;
        best = best.min(clock.monotonic_us() - began);
        let output = answer["execution"]["step_outputs"][0].as_array().map_or(0, Vec::len);
        anyhow::ensure!(output == count && answer["success"] == Value::Bool(true), "the run did not give {count} answers: {answer}");
    }
    let bare = load::run(Load { address: target, connections: 100, requests: count, request: load::get("/item/1"), expect: 200 }).await?;
    let ours = best as f64 / 1e6;
    let bare = bare.micros as f64 / 1e6;
    Ok(vec![Row::new(
        format!("fan-out of {count} GETs"),
        format!("{ours:.3} s"),
        format!("{bare:.3} s bare client"),
        "≤ 0.15 s",
        ours <= 0.15,
    )])
}
