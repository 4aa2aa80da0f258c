//! The execution log: attempts newest first, read through the `execution_logs` view.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::store::{FileStore as _, LogEntry, LogFilter, LogStore, Monitoring, Page, Paging, Prunable, Retention, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, monitoring, uuid};
use crate::shared::cursor::{self, Cursor};

#[async_trait]
impl LogStore for SqliteStore {
    async fn list_logs(&self, org: OrgId, filter: &LogFilter, paging: &Paging) -> Result<Page<LogEntry>, StoreError> {
        let (cursor, filter, paging) = (Cursor::of(paging)?, filter.clone(), paging.clone());
        self.read(move |connection| Box::pin(async move { list(org, &filter, cursor, &paging, connection).await })).await
    }

    async fn monitoring(&self, org: OrgId) -> Result<Monitoring, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| Box::pin(monitoring::monitoring(org, now, connection))).await
    }

    async fn prune(&self, retention: &Retention, batch: u32) -> Result<u64, StoreError> {
        let runs = self.prune_batch(retention, batch).await?;
        if runs == 0 {
            self.prune_sessions().await?;
            self.sweep_files().await?;
        }
        Ok(runs)
    }

    async fn prunable(&self, retention: &Retention) -> Result<Vec<Prunable>, StoreError> {
        self.would_prune(retention).await
    }
}

/// Filters but for the run are columns of one index, which is walked from the newest end until the page is full.
macro_rules! list_sql {
    ($way:literal) => {
        concat!(
            "select id, run_uuid, plan_uuid, plan_name, step_number, step_id, attempt, provider, action, status, message, latency_ms, \
             output_preview, error_detail, at, journal_no from execution_logs where ",
            $way,
            " and (?3 is null or plan_no = (select n.no from plan_numbers as n where n.plan_id = ?3)) and (?4 is null or status = ?4) \
             and (?5 is null or provider = ?5) and at >= ?6 and at < ?7 and (at, journal_no) < (?8, ?9) \
             order by at desc, journal_no desc limit ?10"
        )
    };
}

pub(super) const OF_ORG: &str = list_sql!("org_no = (select o.no from organization_totals as o where o.org_id = ?1) and ?2 is null");
/// The unary plus keeps the planner from walking the organization's whole log for one run's rows.
pub(super) const OF_RUN: &str = list_sql!(
    "+org_no = (select o.no from organization_totals as o where o.org_id = ?1) and run_no = (select r.no from runs as r where r.id = ?2)"
);

/// `since` is part of the span, `until` is not.
async fn list(
    org: OrgId,
    filter: &LogFilter,
    cursor: Cursor,
    paging: &Paging,
    connection: &mut SqliteConnection,
) -> Result<Page<LogEntry>, Fail> {
    let mut rows = sqlx::query(if filter.run.is_some() { OF_RUN } else { OF_ORG })
        .bind(bytes(org.0))
        .bind(filter.run.map(|run| bytes(run.0)))
        .bind(filter.plan.map(|plan| bytes(plan.0)))
        .bind(filter.status.as_deref())
        .bind(filter.provider.as_deref())
        .bind(filter.since.unwrap_or(i64::MIN))
        .bind(filter.until.unwrap_or(i64::MAX))
        .bind(cursor.at)
        .bind(cursor.no)
        .bind(cursor::limit(paging))
        .fetch(connection);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        found.push((Cursor { at: row.try_get(14)?, no: row.try_get(15)? }, entry(&row)?));
    }
    Ok(cursor::page(found, paging))
}

fn entry(row: &SqliteRow) -> Result<LogEntry, Fail> {
    Ok(LogEntry {
        id: row.try_get(0)?,
        run_id: RunId(uuid(row, 1)?),
        plan_id: PlanId(uuid(row, 2)?),
        plan_name: row.try_get(3)?,
        step_number: row.try_get(4)?,
        step_id: row.try_get(5)?,
        attempt: row.try_get(6)?,
        provider: row.try_get(7)?,
        action: row.try_get(8)?,
        status: row.try_get(9)?,
        message: row.try_get(10)?,
        latency_ms: row.try_get(11)?,
        output_preview: row.try_get(12)?,
        error: row.try_get::<Option<&str>, _>(13)?.map(json).transpose()?,
        timestamp: row.try_get(14)?,
    })
}
