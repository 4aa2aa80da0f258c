//! Pruning: finished runs leave in small batches, their blobs follow when nobody else needs them, and the file shrinks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::clock::Millis;
use mainspring_model::store::{Prunable, Retention, SIGNAL_KEPT, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::access::ANSWER_KEPT;
use super::error::Fail;
use super::{SqliteStore, number_list, text_of};

/// Journal rows that one batch deletes, more or less: a bound on how long the writer is busy with it.
const MOST_ROWS: i64 = 50_000;
/// Pages that one batch gives back: several times what 500 small runs free, and a pause of some tens of milliseconds.
const MOST_PAGES: i64 = 1_000;
/// A blob younger than this may belong to a write under way.
const BLOB_AGE: Millis = 3_600_000;

/// The newest run that may go: it and those before it, by end and number.
type Bound = (Millis, i64);

/// A child stays as long as its parent goes on: the parent has yet to read its ending.
macro_rules! old_runs {
    () => {
        "from runs as r where r.finished_at is not null and (r.finished_at, r.no) <= (?1, ?2) and not exists (select 1 from runs as p \
         where p.id = r.parent_id and p.finished_at is null)"
    };
}

/// History that no run uses.
macro_rules! old_versions {
    () => {
        "from plan_versions as v where v.retired_at is not null and v.retired_at < ?1 and not exists (select 1 from runs as r \
         where r.plan_version = v.version and r.plan_no = (select n.no from plan_numbers as n where n.plan_id = v.plan_id))"
    };
}

impl SqliteStore {
    pub(super) async fn prune_batch(&self, retention: &Retention, batch: u32) -> Result<u64, StoreError> {
        let now = self.now_ms();
        let retention = *retention;
        let bound = self.read(move |connection| Box::pin(bound(retention, now, connection))).await?;
        let retired = now - millis(retention.min_age);
        let (runs, orphans) = self.write(async move |connection| delete(bound, retired, now, batch, connection).await).await?;
        self.sweep_blobs(orphans, now - BLOB_AGE).await?;
        self.write(shrink).await?;
        Ok(runs)
    }

    pub(super) async fn would_prune(&self, retention: &Retention) -> Result<Vec<Prunable>, StoreError> {
        let (now, retention) = (self.now_ms(), *retention);
        self.read(move |connection| {
            Box::pin(async move {
                let bound = bound(retention, now, connection).await?;
                let mut all = Vec::new();
                let runs = sqlx::query(concat!("select count(*), min(r.finished_at) ", old_runs!())).bind(bound.0).bind(bound.1);
                all.push(prunable("runs", &runs.fetch_one(&mut *connection).await?)?);
                let retired = now - millis(retention.min_age);
                let versions = sqlx::query(concat!("select count(*), min(v.retired_at) ", old_versions!())).bind(retired);
                all.push(prunable("plan_versions", &versions.fetch_one(&mut *connection).await?)?);
                let answers =
                    sqlx::query("select count(*), min(started_at) from idempotency where started_at <= ?1").bind(now - ANSWER_KEPT);
                all.push(prunable("remembered_answers", &answers.fetch_one(&mut *connection).await?)?);
                let signals = sqlx::query("select count(*), min(received_at) from signals where received_at < ?1").bind(now - SIGNAL_KEPT);
                all.push(prunable("signals", &signals.fetch_one(&mut *connection).await?)?);
                let files = sqlx::query("select count(*), min(expires_at) from files where expires_at <= ?1").bind(now);
                all.push(prunable("files", &files.fetch_one(connection).await?)?);
                Ok(all)
            })
        })
        .await
    }

    /// Removes the blobs that lost their last run, and those in one folder that never had one: a crash came between the two.
    async fn sweep_blobs(&self, mut orphans: Vec<String>, before: Millis) -> Result<(), StoreError> {
        let prefix = self.sweep.fetch_add(1, Ordering::Relaxed);
        let blobs = Arc::clone(&self.blobs);
        let closed = |_| StoreError::Closed;
        let old = tokio::task::spawn_blocking(move || blobs.older_than(prefix, before)).await.map_err(closed)?;
        orphans.extend(self.read(move |connection| Box::pin(async move { unreferenced(&old, connection).await })).await?);
        let blobs = Arc::clone(&self.blobs);
        tokio::task::spawn_blocking(move || orphans.iter().filter(|sha256| blobs.remove_old(sha256, before)).count())
            .await
            .map_err(closed)?;
        Ok(())
    }
}

fn prunable(kind: &'static str, row: &SqliteRow) -> Result<Prunable, Fail> {
    Ok(Prunable { kind, rows: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(), oldest: row.try_get(1)? })
}

/// By age and by count, and never younger than the least age.
async fn bound(retention: Retention, now: Millis, connection: &mut SqliteConnection) -> Result<Bound, Fail> {
    let by_age = (now.saturating_sub(millis(retention.max_age)) - 1, i64::MAX);
    let row =
        sqlx::query("select finished_at, no from runs where finished_at is not null order by finished_at desc, no desc limit 1 offset ?1")
            .bind(i64::try_from(retention.max_runs).unwrap_or(i64::MAX))
            .fetch_optional(connection)
            .await?;
    let by_count = match row {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => by_age,
    };
    Ok(by_age.max(by_count).min((now.saturating_sub(millis(retention.min_age)), i64::MAX)))
}

/// Deletes runs up to `bound` with all that belongs to them. Gives their number and the blobs that nobody needs any more.
async fn delete(
    bound: Bound,
    retired: Millis,
    now: Millis,
    batch: u32,
    connection: &mut SqliteConnection,
) -> Result<(u64, Vec<String>), Fail> {
    let rows = sqlx::query(concat!(
        "select r.no, coalesce((select max(j.seq) from journal as j where j.run_no = r.no), 0) ",
        old_runs!(),
        " order by r.finished_at, r.no limit ?3",
    ))
    .bind(bound.0)
    .bind(bound.1)
    .bind(i64::from(batch))
    .fetch_all(&mut *connection)
    .await?;
    let mut numbers = Vec::with_capacity(rows.len());
    let mut events = 0;
    for row in &rows {
        if events >= MOST_ROWS {
            break;
        }
        numbers.push(row.try_get(0)?);
        events += row.try_get::<i64, _>(1)?;
    }
    let count = numbers.len() as u64;
    let mut orphans = Vec::new();
    if count > 0 {
        let list = number_list(numbers);
        let sql = "delete from journal where run_no in (select value from json_each(?1))";
        sqlx::query(sql).bind(list.as_str()).execute(&mut *connection).await?;
        let sql = "delete from run_blobs where run_no in (select value from json_each(?1)) returning sha256";
        let rows = sqlx::query(sql).bind(list.as_str()).fetch_all(&mut *connection).await?;
        let lost = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        orphans = unreferenced(&lost, connection).await?;
        let sql = "delete from runs where no in (select value from json_each(?1))";
        sqlx::query(sql).bind(list).execute(&mut *connection).await?;
    }
    sqlx::query(concat!("delete from plan_versions where rowid in (select v.rowid ", old_versions!(), " limit 100)"))
        .bind(retired)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from idempotency where started_at <= ?1").bind(now - ANSWER_KEPT).execute(connection).await?;
    Ok((count, orphans))
}

/// Which of these blobs no run refers to.
async fn unreferenced(blobs: &[String], connection: &mut SqliteConnection) -> Result<Vec<String>, Fail> {
    if blobs.is_empty() {
        return Ok(vec![]);
    }
    let rows =
        sqlx::query("select distinct value from json_each(?1) where not exists (select 1 from run_blobs as b where b.sha256 = value)")
            .bind(text_of(&blobs)?)
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Gives free pages back to the file system, but for a twentieth of the file: new runs use those again at once.
async fn shrink(connection: &mut SqliteConnection) -> Result<(), Fail> {
    let free: i64 = sqlx::query("pragma freelist_count").fetch_one(&mut *connection).await?.try_get(0)?;
    let all: i64 = sqlx::query("pragma page_count").fetch_one(&mut *connection).await?.try_get(0)?;
    let pages = (free - all / 20).min(MOST_PAGES);
    if pages > 0 {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("pragma incremental_vacuum({pages})"))).execute(connection).await?;
    }
    Ok(())
}

fn millis(duration: std::time::Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
