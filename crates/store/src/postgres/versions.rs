//! The versions of plans: written, published, kept as history, and given to waiting runs.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, PlanId, RunId, UserId};
use mainspring_model::store::{NewPlan, Page, Paging, PlanRecord, VERSIONS_KEPT, VersionRecord};
use sqlx::Row;
use uuid::Uuid;

use super::error::Fail;
use super::session::Session;
use super::values::{Stamp, kept};
use super::{at, at_or_none, text, text_or_none, whole};
use crate::shared::cursor::{self, Cursor};
use crate::shared::json::text_of;

pub(super) async fn insert(id: PlanId, version: u32, plan: &NewPlan, published: Option<Millis>, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "insert into plan_versions (org_id, plan_id, version, document, created_at, published_at, user_id, note, name) \
             values ($1, $2, $3, $4::text::json, $5, $6, $7, $8, $9)",
        )
        .bind(plan.owner.org.0)
        .bind(id.0)
        .bind(i64::from(version))
        .bind(text_of(&plan.document)?)
        .bind(Stamp(session.now()))
        .bind(published.map(Stamp))
        .bind(plan.saving.by.map(|user| user.0))
        .bind(plan.saving.note.as_deref().map(kept))
        .bind(kept(&plan.name))
        .execute(&mut **session)
        .await?;
    Ok(())
}

/// A version that is there becomes the one that runs; what was noted when it was saved stays unless there is a new note.
pub(super) async fn publish(id: PlanId, version: u32, plan: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "update plan_versions set published_at = coalesce(published_at, $4), note = coalesce($5, note), retired_at = null \
             where org_id = $1 and plan_id = $2 and version = $3",
        )
        .bind(plan.owner.org.0)
        .bind(id.0)
        .bind(i64::from(version))
        .bind(Stamp(session.now()))
        .bind(plan.saving.note.as_deref().map(kept))
        .execute(&mut **session)
        .await?;
    Ok(())
}

/// Whether the plan's version of that number, when there is one, is this document.
pub(super) async fn is(org: OrgId, id: PlanId, version: Option<u32>, document: &str, session: &mut Session) -> Result<bool, Fail> {
    let Some(version) = version else { return Ok(false) };
    let sql = "select document::text = $4 from plan_versions where org_id = $1 and plan_id = $2 and version = $3";
    let row = session.query(sql).bind(org.0).bind(id.0).bind(i64::from(version)).bind(document).fetch_optional(&mut **session).await?;
    row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

/// Drafts that are none any more, and what is beyond the history, may go once no run needs them.
pub(super) async fn retire(plan: &PlanRecord, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "update plan_versions set retired_at = $3 where org_id = $1 and plan_id = $2 and retired_at is null and version <> $4 \
             and version <> $5 and (published_at is null or version <= (select w.version from plan_versions as w where w.org_id = $1 \
             and w.plan_id = $2 and w.published_at is not null order by w.version desc limit 1 offset $6))",
        )
        .bind(plan.owner.org.0)
        .bind(plan.id.0)
        .bind(Stamp(session.now()))
        .bind(i64::from(plan.version))
        .bind(i64::from(plan.draft.unwrap_or_default()))
        .bind(i64::from(VERSIONS_KEPT))
        .execute(&mut **session)
        .await?;
    Ok(())
}

/// The versions of a plan that is gone.
pub(super) async fn retire_all(org: OrgId, id: PlanId, session: &mut Session) -> Result<(), Fail> {
    let sql = "update plan_versions set retired_at = $3 where org_id = $1 and plan_id = $2 and retired_at is null";
    session.query(sql).bind(org.0).bind(id.0).bind(Stamp(session.now())).execute(&mut **session).await?;
    Ok(())
}

pub(super) async fn list(
    org: OrgId,
    id: PlanId,
    cursor: Cursor,
    paging: &Paging,
    session: &mut Session,
) -> Result<Page<VersionRecord>, Fail> {
    let rows = session
        .query(
            "select v.version, coalesce(v.name, p.name), v.created_at, v.published_at, v.user_id, v.note from plans as p \
             join plan_versions as v on v.org_id = p.org_id and v.plan_id = p.id where p.org_id = $1 and p.id = $2 and v.version < $3 \
             order by v.version desc limit $4",
        )
        .bind(org.0)
        .bind(id.0)
        .bind(cursor.no)
        .bind(cursor::limit(paging))
        .fetch_all(&mut **session)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let version = whole(row, 0)?;
        let record = VersionRecord {
            version,
            name: text(row, 1)?,
            created_at: at(row, 2)?,
            published_at: at_or_none(row, 3)?,
            by: row.try_get::<Option<Uuid>, _>(4)?.map(UserId),
            note: text_or_none(row, 5)?,
        };
        found.push((Cursor { at: 0, no: i64::from(version) }, record));
    }
    Ok(cursor::page(found, paging))
}

pub(super) async fn move_run(org: OrgId, run: RunId, from: u32, to: u32, seq: u32, session: &mut Session) -> Result<bool, Fail> {
    // Locked before its journal is looked at: what a run did until then is seen.
    let query = session.query("select from runs where org_id = $1 and id = $2 for no key update").bind(org.0).bind(run.0);
    query.execute(&mut **session).await?;
    let done = session
        .query(
            "update runs as r set plan_version = $4 where r.org_id = $1 and r.id = $2 and r.status in ('waiting', 'paused') \
             and r.plan_version = $3 and coalesce((select max(j.seq) from journal as j where j.org_id = $1 and j.run_id = $2), 0) = $5 \
             and exists (select from plan_versions as v where v.org_id = $1 and v.plan_id = r.plan_id and v.version = $4 \
             and v.retired_at is null)",
        )
        .bind(org.0)
        .bind(run.0)
        .bind(i64::from(from))
        .bind(i64::from(to))
        .bind(i64::from(seq))
        .execute(&mut **session)
        .await?;
    Ok(done.rows_affected() > 0)
}
