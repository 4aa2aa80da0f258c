//! The end of an organization: every row of it goes in batches, its keys first, so that what a backup still has opens no more.

use mainspring_model::id::OrgId;
use mainspring_model::store::{Erasure, StoreError};
use sqlx::{AssertSqlSafe, Row};

use super::error::Fail;
use super::session::{Scope, Session};
use super::{PostgresStore, at_or_none, plans};

/// What the others are found by goes last, in this order.
const LAST: [&str; 8] = ["journal", "run_blobs", "blobs", "plan_versions", "plans", "organization_totals", "members", "organizations"];

impl PostgresStore {
    pub(super) async fn erase_batch(&self, org: OrgId, batch: u32) -> Result<Erasure, Fail> {
        let mut session = self.write(Scope::Org(org)).await?;
        let query = session.query("select erase_at from organizations where org_id = $1").bind(org.0);
        let Some(row) = query.fetch_optional(&mut *session).await? else {
            session.end().await?;
            return Ok(Erasure::Gone);
        };
        if at_or_none(&row, 0)?.is_none_or(|at| at > session.now()) {
            return Err(StoreError::Conflict(format!("the organization {org} is not to be removed now")).into());
        }
        let sql = "select exists (select from data_keys where org_id = $1)";
        let has_keys: bool = session.query(sql).bind(org.0).fetch_one(&mut *session).await?.try_get(0)?;
        if self.objects.is_some() && !has_keys {
            session.end().await?;
            match self.erase_files(org, batch).await? {
                0 => session = self.write(Scope::Org(org)).await?,
                removed => return Ok(Erasure::Removed(removed)),
            }
        }
        let removed = rows(org, batch, &mut session).await?;
        plans::bump_revision(&mut session).await?;
        session.commit().await?;
        Ok(removed)
    }
}

/// Tables that name their organization, those of later migrations too.
async fn rows(org: OrgId, batch: u32, session: &mut Session) -> Result<Erasure, Fail> {
    let sql = "select c.relname::text from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attname = 'org_id' \
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition \
               order by c.relname <> 'data_keys', c.relname = 'runs', c.relname collate \"C\"";
    let found = session.query(sql).fetch_all(&mut **session).await?;
    let names = found.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    for name in names.iter().filter(|name| !LAST.contains(&name.as_str())) {
        // Those that a process holds end first.
        let free = if name == "runs" { " and status <> 'running'" } else { "" };
        let removed = some_of(name, free, org, batch, session).await?;
        if removed > 0 {
            return Ok(Erasure::Removed(removed));
        }
    }
    let sql = "select count(*) from runs where org_id = $1";
    let held: i64 = session.query(sql).bind(org.0).fetch_one(&mut **session).await?.try_get(0)?;
    if held > 0 {
        return Ok(Erasure::Held(held.unsigned_abs()));
    }
    for name in LAST {
        let removed = match name {
            // Of its many parts a row's place says nothing.
            "journal" => {
                let sql = "delete from journal where org_id = $1 and run_id in (select run_id from journal where org_id = $1 limit $2)";
                session.query(sql).bind(org.0).bind(i64::from(batch)).execute(&mut **session).await?.rows_affected()
            }
            name => some_of(name, "", org, batch, session).await?,
        };
        if removed > 0 {
            return Ok(Erasure::Removed(removed));
        }
    }
    Ok(Erasure::Gone)
}

async fn some_of(name: &str, free: &str, org: OrgId, batch: u32, session: &mut Session) -> Result<u64, Fail> {
    // The names are the schema's own.
    let sql =
        format!("delete from {name} where ctid = any(array(select ctid from {name} where org_id = $1{free} limit $2)) and org_id = $1");
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(org.0).bind(i64::from(batch));
    Ok(query.execute(&mut **session).await?.rows_affected())
}
