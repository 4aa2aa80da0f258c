//! How fast a node claims queued runs over PostgreSQL, and how fast while somebody keeps a snapshot: then no row that left the queue
//! can be cleaned up, and whoever looks for the next one must not read them all.

use std::sync::Arc;

use mainspring_engine::LoadedPlan;
use mainspring_model::id::RunId;
use mainspring_model::run::{Ending, RunStatus};
use mainspring_model::store::{RunWrite, Standing};
use mainspring_store::postgres::Snapshot;
use serde_json::Value;

use super::table::{Row, count};
use super::{Options, steps};
use crate::app::App;
use crate::wire;

/// Runs that are queued, claimed and ended in one round.
const ROUND: u32 = 1_000;
/// Runs that one claim asks for.
const BATCH: u32 = 256;

pub async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let Some(url) = options.postgres.as_ref().and_then(|settings| settings.postgres.as_ref()) else {
        return Ok(vec![]);
    };
    let half = if options.quick { 1_000 } else { 10_000 };
    let app = wire::open(&options.settings("claims"), true).await?;
    let plan = steps::save(&app).await?;
    let free = rate(&app, &plan, half).await?;
    let snapshot = Snapshot::take(url.expose()).await?;
    rate(&app, &plan, half).await?;
    let beside = rate(&app, &plan, half).await?;
    snapshot.release().await?;
    app.engine.drain(1_000).await;
    app.store.close().await;
    let share = beside / free;
    Ok(vec![Row::new(
        format!("claims beside a snapshot of {} s", half * 2 / 1_000),
        format!("{} runs/s, {:.0} %", count(beside), share * 100.0),
        format!("{} runs/s without it", count(free)),
        "≥ 70 %",
        share >= 0.7,
    )])
}

/// Runs claimed in a second of claiming; queueing and ending them is not counted. Goes on for so many milliseconds in all.
async fn rate(app: &Arc<App>, plan: &LoadedPlan, millis: i64) -> anyhow::Result<f64> {
    let until = app.clock.now() + millis;
    let (mut runs, mut micros) = (0_u32, 0);
    while app.clock.now() < until {
        steps::queue(app, plan, ROUND).await?;
        let mut claimed = Vec::with_capacity(ROUND as usize);
        let began = app.clock.monotonic_us();
        while claimed.len() < ROUND as usize {
            let some = app.store.claim(BATCH).await?;
            anyhow::ensure!(!some.is_empty(), "{} of {ROUND} queued runs were not found", ROUND as usize - claimed.len());
            claimed.extend(some);
        }
        micros += app.clock.monotonic_us() - began;
        runs += ROUND;
        let ends = claimed.into_iter().map(|run| end(app, run.header.id, run.epoch));
        futures_util::future::try_join_all(ends).await?;
    }
    Ok(f64::from(runs) / (micros as f64 / 1e6))
}

async fn end(app: &Arc<App>, run: RunId, epoch: i64) -> anyhow::Result<()> {
    let ending = Ending { status: RunStatus::Success, output: Value::Null, blob: None, error: None };
    let write = RunWrite { run, epoch, create: None, events: Arc::default(), standing: Standing::Ended(ending) };
    app.store.commit(write).await?;
    Ok(())
}
