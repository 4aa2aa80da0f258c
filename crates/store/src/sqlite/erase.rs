//! The end of an organization: every row of it goes in batches, its keys first, so that what a backup still has opens no more.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Erasure, StoreError};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, number_list, plans};

/// A blob younger than this may belong to another organization's write under way: blobs are shared by content.
const BLOB_AGE: Millis = 60_000;

/// What the others are found by goes last.
const LAST: [&str; 4] = ["plans", "organization_totals", "members", "organizations"];

/// Their rows go one by one, each behind its bytes.
const WITH_BYTES: [&str; 2] = ["files", "file_uploads"];

impl SqliteStore {
    pub(super) async fn erase_batch(&self, org: OrgId, batch: u32) -> Result<Erasure, StoreError> {
        let now = self.now_ms();
        let removed = self.write(async move |connection| rows(org, batch, now, connection).await).await?;
        match removed {
            None => return Ok(Erasure::Gone),
            Some(0) => match self.erase_files(org, batch).await? {
                0 => {}
                removed => return Ok(Erasure::Removed(removed)),
            },
            Some(removed) => return Ok(Erasure::Removed(removed)),
        }
        let (runs, blobs, held) = self.read(move |connection| Box::pin(ended_runs(org, batch, connection))).await?;
        if runs.is_empty() {
            return match held {
                0 => self.write(async move |connection| remains(org, connection).await).await.map(|()| Erasure::Removed(1)),
                held => Ok(Erasure::Held(held)),
            };
        }
        let folder = Arc::clone(&self.blobs);
        let clear = tokio::task::spawn_blocking(move || {
            blobs.iter().filter(|sha256| !folder.remove_old(sha256, now - BLOB_AGE) && folder.has(sha256)).count()
        });
        match clear.await.map_err(|_| StoreError::Closed)? {
            0 => self.write(async move |connection| delete_runs(&runs, connection).await).await.map(Erasure::Removed),
            young => Ok(Erasure::Held(young as u64)),
        }
    }
}

/// Tables that name their organization, those of later migrations too; how many rows went, `None` when its record is gone.
async fn rows(org: OrgId, batch: u32, now: Millis, connection: &mut SqliteConnection) -> Result<Option<u64>, Fail> {
    let query = sqlx::query("select erase_at from organizations where org_id = ?1").bind(bytes(org.0));
    let Some(row) = query.fetch_optional(&mut *connection).await? else { return Ok(None) };
    if row.try_get::<Option<Millis>, _>(0)?.is_none_or(|at| at > now) {
        return Err(StoreError::Conflict(format!("the organization {org} is not to be removed now")).into());
    }
    let sql = "select m.name from sqlite_schema as m where m.type = 'table' and exists (select 1 from pragma_table_info(m.name) as c \
               where c.name = 'org_id') order by m.name <> 'data_keys', m.name";
    let names = sqlx::query(sql).fetch_all(&mut *connection).await?;
    let mut removed = 0;
    for row in &names {
        let name: &str = row.try_get(0)?;
        if LAST.contains(&name) || WITH_BYTES.contains(&name) || removed >= u64::from(batch) {
            continue;
        }
        // Tables without row numbers are small, and go by organization. The names are the schema's own.
        let key = if has_rowid(name, connection).await? { "rowid" } else { "org_id" };
        let sql = format!("delete from {name} where {key} in (select {key} from {name} where org_id = ?1 limit ?2)");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(bytes(org.0)).bind(i64::from(batch));
        removed += query.execute(&mut *connection).await?.rows_affected();
    }
    if removed > 0 {
        plans::bump_revision(connection).await?;
    }
    Ok(Some(removed))
}

async fn has_rowid(name: &str, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let row = sqlx::query("select wr from pragma_table_list(?1) where schema = 'main'").bind(name.to_owned()).fetch_one(connection).await?;
    Ok(!row.try_get::<bool, _>(0)?)
}

/// Some runs that no process holds, the blobs that only runs of theirs need, and how many runs are held.
async fn ended_runs(org: OrgId, batch: u32, connection: &mut SqliteConnection) -> Result<(Vec<i64>, Vec<String>, u64), Fail> {
    let sql = "select r.no from runs as r join organization_totals as o on o.no = r.org_no \
               where o.org_id = ?1 and r.status <> 'running' limit ?2";
    let rows = sqlx::query(sql).bind(bytes(org.0)).bind(i64::from(batch)).fetch_all(&mut *connection).await?;
    let runs = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    let sql = "select distinct b.sha256 from run_blobs as b where b.run_no in (select value from json_each(?1)) and not exists \
               (select 1 from run_blobs as o where o.sha256 = b.sha256 and o.run_no not in (select value from json_each(?1)))";
    let rows = sqlx::query(sql).bind(number_list(runs.iter().copied())).fetch_all(&mut *connection).await?;
    let blobs = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let sql =
        "select count(*) from runs as r join organization_totals as o on o.no = r.org_no where o.org_id = ?1 and r.status = 'running'";
    let held: i64 = sqlx::query(sql).bind(bytes(org.0)).fetch_one(connection).await?.try_get(0)?;
    Ok((runs, blobs, held.unsigned_abs()))
}

async fn delete_runs(runs: &[i64], connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let list = number_list(runs.iter().copied());
    let mut removed = 0;
    for sql in [
        "delete from journal where run_no in (select no from runs where no in (select value from json_each(?1)) and status <> 'running')",
        "delete from run_blobs where run_no in (select no from runs where no in (select value from json_each(?1)) and status <> 'running')",
        // Versions of plans that were deleted before; the others go with their plans.
        "delete from plan_versions where plan_id in (select n.plan_id from plan_numbers as n join runs as r on r.plan_no = n.no \
         where r.no in (select value from json_each(?1))) and not exists (select 1 from plans as p where p.id = plan_versions.plan_id)",
        "delete from plan_numbers where no in (select plan_no from runs where no in (select value from json_each(?1))) \
         and not exists (select 1 from plans as p where p.id = plan_numbers.plan_id) and not exists (select 1 from runs as r \
         where r.plan_no = plan_numbers.no and r.no not in (select value from json_each(?1)))",
        "delete from runs where no in (select value from json_each(?1)) and status <> 'running'",
    ] {
        removed += sqlx::query(sql).bind(list.as_str()).execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed.max(1))
}

/// What is left when no run is: plans with their versions and numbers, counters, members, and last the record itself.
async fn remains(org: OrgId, connection: &mut SqliteConnection) -> Result<(), Fail> {
    for sql in [
        "delete from plan_versions where plan_id in (select id from plans where org_id = ?1)",
        "delete from plan_numbers where plan_id in (select id from plans where org_id = ?1)",
        "delete from plans where org_id = ?1",
        "delete from organization_totals where org_id = ?1",
        "delete from members where org_id = ?1",
        "delete from organizations where org_id = ?1",
    ] {
        sqlx::query(sql).bind(bytes(org.0)).execute(&mut *connection).await?;
    }
    plans::bump_revision(connection).await
}
