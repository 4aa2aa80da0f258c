//! Totals: counters that pruning does not touch, and how each provider fared in the last day.

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Monitoring, Paging, ProviderTotals, RunFilter};
use sqlx::Row;

use super::error::Fail;
use super::runs;
use super::session::Session;
use super::values::{Stamp, given};
use crate::shared::cursor::IdCursor;

const DAY: Millis = 24 * 3_600_000;
/// Attempts that are counted at most, newest first: a bound on the time that a look takes.
const MOST_COUNTED: i64 = 200_000;
/// Newest attempts whose latency is read: enough for a 95th percentile of every provider that matters.
const MOST_MEASURED: i64 = 10_000;

pub(super) async fn monitoring(org: OrgId, session: &mut Session) -> Result<Monitoring, Fail> {
    let row = session
        .query(
            "select coalesce(sum(total_executions), 0)::bigint, coalesce(sum(successful), 0)::bigint, coalesce(sum(failed), 0)::bigint, \
             (select count(*) from runs where org_id = $1 and status = 'running' and status <> 'success'), \
             (select count(*) from runs where org_id = $1 and status = 'queued' and status <> 'success') \
             from organization_totals where org_id = $1",
        )
        .bind(org.0)
        .fetch_one(&mut **session)
        .await?;
    let paging = Paging { limit: 10, cursor: None };
    let recent = runs::list(org, &RunFilter::default(), IdCursor::TOP, &paging, session).await?.items;
    let count = |column: usize| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    Ok(Monitoring {
        total_executions: count(0)?,
        successful: count(1)?,
        failed: count(2)?,
        running: count(3)?,
        queued: count(4)?,
        recent,
        providers: providers(org, session).await?,
    })
}

/// The smallest latency that 95 of 100 attempts do not exceed. Attempts of runs that were pruned count no more.
const PROVIDERS: &str = "with counted as (select provider, count(*) as total, \
     count(*) filter (where status in ('error', 'retrying')) as failed from (select j.provider, j.status from journal as j \
     where j.org_id = $1 and j.at >= $2 and j.provider is not null \
     and exists (select from runs as r where r.org_id = j.org_id and r.id = j.run_id) \
     order by j.at desc, j.run_id desc, j.seq desc limit $3) as newest group by provider), \
     measured as (select provider, avg(us) as average, percentile_disc(0.95) within group (order by us) as p95 \
     from (select j.provider, (mainspring_plain(j.body) ->> 'latency_us')::double precision as us from journal as j \
     where j.org_id = $1 and j.at >= $2 and j.provider is not null \
     and exists (select from runs as r where r.org_id = j.org_id and r.id = j.run_id) \
     order by j.at desc, j.run_id desc, j.seq desc limit $4) as newest group by provider) \
     select c.provider, c.total, c.failed, coalesce(m.average, 0), coalesce(m.p95, 0) from counted as c \
     left join measured as m on m.provider = c.provider order by c.provider collate \"C\"";

async fn providers(org: OrgId, session: &mut Session) -> Result<Vec<ProviderTotals>, Fail> {
    let query = session.query(PROVIDERS).bind(org.0).bind(Stamp(session.now() - DAY)).bind(MOST_COUNTED).bind(MOST_MEASURED);
    let rows = query.fetch_all(&mut **session).await?;
    let totals = rows.iter().map(|row| {
        Ok(ProviderTotals {
            provider: given(row.try_get(0)?),
            total: row.try_get::<i64, _>(1)?.unsigned_abs(),
            failed: row.try_get::<i64, _>(2)?.unsigned_abs(),
            avg_latency_ms: row.try_get::<f64, _>(3)? / 1_000.0,
            p95_latency_ms: row.try_get::<f64, _>(4)? / 1_000.0,
        })
    });
    totals.collect()
}
