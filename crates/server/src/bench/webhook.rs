//! Webhook → three steps → answer on 16 connections, every run on disk before its answer.

use serde_json::json;

use super::child::Server;
use super::load::{self, Load};
use super::table::{Row, count, percentile};
use super::{Options, ceiling, plans};

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let requests = if options.quick { 5_000 } else { 100_000 };
    let settings = options.settings("webhook");
    if settings.postgres.is_none() {
        drop(std::fs::remove_dir_all(&settings.data));
    }
    let server = Server::start_with(&settings).await?;
    server.save(&plans::webhook("paid")).await?;
    let before = total(&server).await?;
    let body = json!({"amount": 250, "email": "ada@example.org"}).to_string();
    let load = |requests| Load {
        address: server.address,
        connections: 16,
        requests,
        request: load::post("/api/webhook/paid", &body),
        expect: 200,
    };
    load::run(load(requests / 10)).await?;
    let cpu = server.cpu_us();
    let done = load::run(load(requests)).await?;
    let cpu = (server.cpu_us() - cpu) / requests as f64 / 1_000.0;
    let kept = total(&server).await? - before;
    anyhow::ensure!(kept == requests + requests / 10, "{kept} runs were kept of {} that were answered", requests + requests / 10);
    let bare = ceiling::bare_http(16, requests).await?;
    let flushes = ceiling::flushes(&options.folder)?;
    let p99 = percentile(&done.latencies, 0.99) as f64 / 1_000.0;
    let rate = done.rate();
    if let Some(url) = &settings.postgres {
        let url = settings.migrate_url.as_ref().unwrap_or(url);
        let [one, sixteen] = [1, 16].map(|clients| mainspring_store::postgres::commit_rate(url.expose(), clients));
        let said = |rate: std::io::Result<f64>| rate.map_or_else(|error| error.to_string(), |rate| format!("{}/s", count(rate)));
        return Ok(vec![Row::new(
            "webhook, 3 steps, saved, PostgreSQL",
            format!("{}/s, p99 {p99:.2} ms, our CPU {cpu:.3} ms a run", count(rate)),
            format!("pgbench, single-row commits: {} on one connection, {} on 16", said(one), said(sixteen)),
            "≥ 3,000/s",
            rate >= 3_000.0,
        )]);
    }
    Ok(vec![
        Row::new(
            "webhook, 3 steps, saved: rate",
            format!("{}/s", count(rate)),
            format!("{}/s bare HTTP, {}/s flushes", count(bare), count(flushes)),
            "≥ 10,000/s",
            rate >= 10_000.0,
        ),
        Row::new(
            "webhook: p99",
            format!("{p99:.2} ms"),
            format!("p50 {:.2} ms", percentile(&done.latencies, 0.5) as f64 / 1_000.0),
            "≤ 10 ms",
            p99 <= 10.0,
        ),
        Row::new("webhook: our CPU a run", format!("{cpu:.3} ms"), "", "≤ 0.10 ms", cpu <= 0.10),
    ])
}

async fn total(server: &Server) -> anyhow::Result<usize> {
    let status = server.call(&load::get("/api/monitoring/status"), 200).await?;
    Ok(status["total_executions"].as_u64().unwrap_or(0) as usize)
}
