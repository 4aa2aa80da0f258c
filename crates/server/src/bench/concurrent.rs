//! A hundred runs of two steps at once.

use mainspring_model::clock::Clock;
use serde_json::{Value, json};

use super::child::Server;
use super::load::{self, Connection};
use super::table::Row;
use super::{Options, local, plans};
use crate::wire::SystemClock;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let data = options.folder.join("concurrent");
    drop(std::fs::remove_dir_all(&data));
    let server = Server::start(&data).await?;
    let target = local::start()?;
    let plan = server.save(&plans::two_steps()).await?;
    let request = load::post("/api/execute", &json!({"plan_id": plan, "inputs": {"base": format!("http://{target}")}}).to_string());
    let clock = SystemClock::new();
    let mut times = Vec::new();
    let mut errors = 0;
    for _ in 0..10 {
        let mut connections = Vec::new();
        for _ in 0..100 {
            connections.push(Connection::to(server.address).await?);
        }
        let began = clock.monotonic_us();
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                let request = request.clone();
                tokio::spawn(async move { connection.exchange(&request).await })
            })
            .collect();
        for task in tasks {
            let (status, body) = task.await??;
            let answer: Value = serde_json::from_slice(&body)?;
            errors += u32::from(status != 200 || answer["success"] != Value::Bool(true));
        }
        times.push(clock.monotonic_us() - began);
    }
    times.sort_unstable();
    let median = times[times.len() / 2] as f64 / 1_000.0;
    let best = times[0] as f64 / 1_000.0;
    let what = "100 concurrent 2-step runs";
    Ok(vec![Row::new(
        what,
        format!("{median:.1} ms, {errors} errors"),
        format!("best of 10: {best:.1} ms"),
        "≤ 40 ms, 0 errors",
        median <= 40.0 && errors == 0,
    )])
}
