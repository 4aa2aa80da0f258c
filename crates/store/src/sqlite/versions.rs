//! The versions of plans: written, published, kept as history, and given to waiting runs.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, RunId, UserId};
use mainspring_model::store::{NewPlan, Page, Paging, PlanRecord, VERSIONS_KEPT, VersionRecord};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{bytes, id_of, text_of};
use crate::shared::cursor::{self, Cursor};

pub(super) async fn insert(
    id: PlanId,
    version: u32,
    plan: &NewPlan,
    published: Option<Millis>,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    sqlx::query(
        "insert into plan_versions (plan_id, version, document, created_at, published_at, user_id, note, name) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(bytes(id.0))
    .bind(i64::from(version))
    .bind(text_of(&plan.document)?)
    .bind(now)
    .bind(published)
    .bind(plan.saving.by.map(|user| bytes(user.0)))
    .bind(plan.saving.note.as_deref())
    .bind(plan.name.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// A version that is there becomes the one that runs; what was noted when it was saved stays unless there is a new note.
pub(super) async fn publish(id: PlanId, version: u32, plan: &NewPlan, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "update plan_versions set published_at = coalesce(published_at, ?3), note = coalesce(?4, note), retired_at = null \
         where plan_id = ?1 and version = ?2",
    )
    .bind(bytes(id.0))
    .bind(i64::from(version))
    .bind(now)
    .bind(plan.saving.note.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the plan's version of that number, when there is one, is this document.
pub(super) async fn is(id: PlanId, version: Option<u32>, text: &str, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let Some(version) = version else { return Ok(false) };
    let sql = "select document = ?3 from plan_versions where plan_id = ?1 and version = ?2";
    let row = sqlx::query(sql).bind(bytes(id.0)).bind(i64::from(version)).bind(text).fetch_optional(connection).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

/// Drafts that are none any more, and what is beyond the history, may go once no run needs them.
pub(super) async fn retire(plan: &PlanRecord, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "update plan_versions set retired_at = ?2 where plan_id = ?1 and retired_at is null and version <> ?3 and version <> ?4 \
         and (published_at is null or version <= (select w.version from plan_versions as w where w.plan_id = ?1 \
         and w.published_at is not null order by w.version desc limit 1 offset ?5))",
    )
    .bind(bytes(plan.id.0))
    .bind(now)
    .bind(i64::from(plan.version))
    .bind(i64::from(plan.draft.unwrap_or_default()))
    .bind(i64::from(VERSIONS_KEPT))
    .execute(connection)
    .await?;
    Ok(())
}

/// The versions of a plan that is gone.
pub(super) async fn retire_all(id: PlanId, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("update plan_versions set retired_at = ?2 where plan_id = ?1 and retired_at is null")
        .bind(bytes(id.0))
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn list(
    org: OrgId,
    id: PlanId,
    cursor: Cursor,
    paging: &Paging,
    connection: &mut SqliteConnection,
) -> Result<Page<VersionRecord>, Fail> {
    let rows = sqlx::query(
        "select v.version, coalesce(v.name, p.name), v.created_at, v.published_at, v.user_id, v.note from plans as p \
         join plan_versions as v on v.plan_id = p.id where p.org_id = ?1 and p.id = ?2 and v.version < ?3 \
         order by v.version desc limit ?4",
    )
    .bind(bytes(org.0))
    .bind(bytes(id.0))
    .bind(cursor.no)
    .bind(cursor::limit(paging))
    .fetch_all(connection)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let version: u32 = row.try_get(0)?;
        let record = VersionRecord {
            version,
            name: row.try_get(1)?,
            created_at: row.try_get(2)?,
            published_at: row.try_get(3)?,
            by: row.try_get::<Option<&[u8]>, _>(4)?.map(id_of).transpose()?.map(UserId),
            note: row.try_get(5)?,
        };
        found.push((Cursor { at: 0, no: i64::from(version) }, record));
    }
    Ok(cursor::page(found, paging))
}

pub(super) async fn move_run(
    org: OrgId,
    run: RunId,
    from: u32,
    to: u32,
    seq: u32,
    connection: &mut SqliteConnection,
) -> Result<bool, Fail> {
    let done = sqlx::query(
        "update runs as r set plan_version = ?4 where r.id = ?2 and r.status in ('waiting', 'paused') and r.plan_version = ?3 \
         and r.org_no = (select no from organization_totals where org_id = ?1) \
         and coalesce((select max(j.seq) from journal as j where j.run_no = r.no), 0) = ?5 \
         and exists (select 1 from plan_versions as v join plan_numbers as n on n.plan_id = v.plan_id \
         where n.no = r.plan_no and v.version = ?4 and v.retired_at is null)",
    )
    .bind(bytes(org.0))
    .bind(bytes(run.0))
    .bind(i64::from(from))
    .bind(i64::from(to))
    .bind(i64::from(seq))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
