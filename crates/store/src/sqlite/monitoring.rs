//! Totals: counters that pruning does not touch, and how each provider fared in the last day.

use std::collections::BTreeMap;

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Monitoring, Paging, ProviderTotals, RunFilter};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{bytes, runs};
use crate::shared::cursor::Cursor;

const DAY: Millis = 24 * 3_600_000;
/// Attempts that are counted at most, newest first: about a tenth of a second (a million took 1.2 s on busy cores).
const MOST_COUNTED: i64 = 200_000;
/// Newest attempts whose latency is read: enough for a 95th percentile of every provider that matters.
const MOST_MEASURED: i64 = 10_000;

pub(super) async fn monitoring(org: OrgId, now: Millis, connection: &mut SqliteConnection) -> Result<Monitoring, Fail> {
    let row = sqlx::query(
        "select o.no, o.total_executions, o.successful, o.failed, \
         (select count(*) from runs as r where r.status = 'running' and r.status <> 'success' and r.org_no = o.no), \
         (select count(*) from runs as r where r.status = 'queued' and r.status <> 'success' and r.org_no = o.no) \
         from organization_totals as o where o.org_id = ?1",
    )
    .bind(bytes(org.0))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        return Ok(Monitoring { total_executions: 0, successful: 0, failed: 0, running: 0, queued: 0, recent: vec![], providers: vec![] });
    };
    let paging = Paging { limit: 10, cursor: None };
    let recent = runs::list(org, &RunFilter::default(), Cursor::TOP, &paging, &mut *connection).await?.items;
    let count = |column: usize| row.try_get::<u64, _>(column);
    Ok(Monitoring {
        total_executions: count(1)?,
        successful: count(2)?,
        failed: count(3)?,
        running: count(4)?,
        queued: count(5)?,
        recent,
        providers: providers(row.try_get(0)?, now - DAY, connection).await?,
    })
}

async fn providers(org_no: i64, since: Millis, connection: &mut SqliteConnection) -> Result<Vec<ProviderTotals>, Fail> {
    let measured = sqlx::query(
        "select provider, body ->> '$.latency_us' from journal where org_no = ?1 and at >= ?2 and provider is not null \
         order by at desc, no desc limit ?3",
    )
    .bind(org_no)
    .bind(since)
    .bind(MOST_MEASURED)
    .fetch_all(&mut *connection)
    .await?;
    let mut latencies: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in &measured {
        let us: Option<f64> = row.try_get::<Option<i64>, _>(1).ok().flatten().map(|us| us as f64);
        latencies.entry(row.try_get(0)?).or_default().extend(us);
    }
    let counted = sqlx::query(
        "select provider, count(*), sum(status in ('error', 'retrying')) from (select provider, status from journal \
         where org_no = ?1 and at >= ?2 and provider is not null order by at desc, no desc limit ?3) group by provider order by provider",
    )
    .bind(org_no)
    .bind(since)
    .bind(MOST_COUNTED)
    .fetch_all(connection)
    .await?;
    let totals = counted.iter().map(|row| {
        let provider: String = row.try_get(0)?;
        let mut us = latencies.remove(provider.as_str()).unwrap_or_default();
        us.sort_by(f64::total_cmp);
        let average = if us.is_empty() { 0.0 } else { us.iter().sum::<f64>() / us.len() as f64 };
        // The smallest latency that 95 of 100 attempts do not exceed.
        let p95 = us.get((us.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0.0);
        Ok(ProviderTotals {
            provider,
            total: row.try_get(1)?,
            failed: row.try_get(2)?,
            avg_latency_ms: average / 1_000.0,
            p95_latency_ms: p95 / 1_000.0,
        })
    });
    totals.collect()
}
