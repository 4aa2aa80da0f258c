//! A new run's latency beside 100,000 stored ones.

use serde_json::json;

use super::child::Server;
use super::load::{self, Load};
use super::table::{Row, percentile};
use super::{Options, plans};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let (stored, sample) = if options.quick { (5_000, 1_000) } else { (100_000, 5_000) };
    let data = options.folder.join("growth");
    drop(std::fs::remove_dir_all(&data));
    let server = Server::start(&data).await?;
    server.save(&plans::webhook("grow")).await?;
    let body = json!({"amount": 250, "email": "ada@example.org"}).to_string();
    let load = |connections, requests| Load {
        address: server.address,
        connections,
        requests,
        request: load::post("/api/webhook/grow", &body),
        expect: 200,
    };
    load::run(load(1, 500)).await?;
    let empty = load::run(load(1, sample)).await?;
    load::run(load(32, stored)).await?;
    let full = load::run(load(1, sample)).await?;
    let median = |done: &load::Done| percentile(&done.latencies, 0.5) as f64 / 1_000.0;
    let ratio = median(&full) / median(&empty);
    let what = format!("a run's latency beside {stored} stored");
    Ok(vec![Row::new(
        what,
        format!("{:.3} ms (p99 {:.2})", median(&full), percentile(&full.latencies, 0.99) as f64 / 1_000.0),
        format!("{:.3} ms empty (p99 {:.2})", median(&empty), percentile(&empty.latencies, 0.99) as f64 / 1_000.0),
        "within 20 %",
        ratio <= 1.2,
    )])
}
