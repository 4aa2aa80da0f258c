//! Plans and their versions.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::store::{NewPlan, Page, Paging, PlanRecord, PlanStore, PlanSummary, StoreError, VersionRecord, WebhookRoute};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, routes, schedules, shares, text_of, uuid, versions};
use crate::shared::cursor::{self, Cursor};
use crate::shared::plans::{self, first_version, source_of, source_text, summary};

#[async_trait]
impl PlanStore for SqliteStore {
    async fn create_plan(&self, id: PlanId, plan: NewPlan) -> Result<PlanRecord, StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| create(id, &plan, now, connection).await).await
    }

    async fn update_plan(&self, id: PlanId, expected: Option<u32>, plan: NewPlan) -> Result<PlanRecord, StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| update(id, expected, &plan, now, connection).await).await
    }

    async fn delete_plan(&self, org: OrgId, id: PlanId) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| delete(org, id, now, connection).await).await
    }

    async fn get_plan(&self, org: OrgId, id: PlanId) -> Result<Option<PlanRecord>, StoreError> {
        self.read(move |connection| Box::pin(get(org, id, connection))).await
    }

    async fn plan_by_name(&self, org: OrgId, name: &str) -> Result<Option<PlanRecord>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(BY_NAME).bind(bytes(org.0)).bind(name).fetch_optional(connection).await?;
                row.map(|row| record(&row)).transpose()
            })
        })
        .await
    }

    async fn list_plans(&self, org: OrgId, paging: &Paging) -> Result<Page<PlanSummary>, StoreError> {
        let (cursor, paging) = (Cursor::of(paging)?, paging.clone());
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).bind(bytes(org.0)).bind(cursor.no).bind(cursor::limit(&paging)).fetch_all(connection).await?;
                let found = rows.iter().map(|row| Ok((Cursor { at: 0, no: row.try_get(11)? }, summary(record(row)?))));
                Ok(cursor::page(found.collect::<Result<_, Fail>>()?, &paging))
            })
        })
        .await
    }

    async fn plan_versions(&self, org: OrgId, id: PlanId, paging: &Paging) -> Result<Page<VersionRecord>, StoreError> {
        let (cursor, paging) = (Cursor::of(paging)?, paging.clone());
        self.read(move |connection| Box::pin(async move { versions::list(org, id, cursor, &paging, connection).await })).await
    }

    async fn move_run(&self, org: OrgId, run: RunId, from: u32, to: u32, seq: u32) -> Result<bool, StoreError> {
        self.write(async move |connection| versions::move_run(org, run, from, to, seq, connection).await).await
    }

    async fn plan_version(&self, id: PlanId, version: u32) -> Result<Option<Value>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("select document from plan_versions where plan_id = ?1 and version = ?2")
                    .bind(bytes(id.0))
                    .bind(i64::from(version))
                    .fetch_optional(connection)
                    .await?;
                row.map(|row| json(row.try_get(0)?)).transpose()
            })
        })
        .await
    }

    async fn webhook_routes(&self) -> Result<Vec<WebhookRoute>, StoreError> {
        self.read(|connection| Box::pin(routes::all(connection))).await
    }

    async fn plans_revision(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query("select plans_revision from store_state where only_row = 1").fetch_one(connection).await?;
                Ok(row.try_get(0)?)
            })
        })
        .await
    }
}

/// Tells every process that plans, schedules or integrations are not what it remembers.
pub(super) async fn bump_revision(connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("update store_state set plans_revision = plans_revision + 1 where only_row = 1").execute(connection).await?;
    Ok(())
}

async fn create(id: PlanId, plan: &NewPlan, now: Millis, connection: &mut SqliteConnection) -> Result<PlanRecord, Fail> {
    let made = first_version(id, plan, now);
    sqlx::query(
        "insert into plans (id, org_id, user_id, name, source, version, created_at, updated_at, draft, latest, file) \
         values (?1, ?2, ?3, ?4, ?5, ?7, ?6, ?6, ?8, 1, ?9)",
    )
    .bind(bytes(id.0))
    .bind(bytes(plan.owner.org.0))
    .bind(bytes(plan.owner.user.0))
    .bind(plan.name.as_str())
    .bind(source_text(plan.source))
    .bind(now)
    .bind(i64::from(made.version))
    .bind(made.draft.map(i64::from))
    .bind(plan.file.as_deref())
    .execute(&mut *connection)
    .await
    .map_err(|error| name_taken(error.into(), plan))?;
    versions::insert(id, 1, plan, (made.version > 0).then_some(now), now, connection).await?;
    if made.version > 0 {
        routes::replace(id, plan, connection).await?;
        schedules::replace(id, plan, connection).await?;
    }
    bump_revision(connection).await?;
    Ok(made)
}

async fn update(
    id: PlanId,
    expected: Option<u32>,
    plan: &NewPlan,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<PlanRecord, Fail> {
    let current = get(plan.owner.org, id, connection).await?.ok_or_else(|| plans::missing(id))?;
    if expected.is_some_and(|version| version != current.newest()) {
        return Err(StoreError::Stale { what: format!("the plan {id}"), current: current.newest() }.into());
    }
    // Compared as text: the same members in another order are another document to whoever reads it.
    let text = text_of(&plan.document)?;
    let published = current.version > 0 && text_of(&current.document)? == text;
    let draft = versions::is(id, current.draft, &text, connection).await?;
    let latest = sqlx::query("select latest from plans where id = ?1").bind(bytes(id.0)).fetch_one(&mut *connection).await?.try_get(0)?;
    let next = plans::next(&current, latest, plan, published, draft)?;
    if let Some(version) = next.write {
        versions::insert(id, version, plan, next.publish.map(|_| now), now, connection).await?;
    } else if let Some(version) = next.publish {
        versions::publish(id, version, plan, now, connection).await?;
    }
    let saved = plans::saved(current, &next, plan, now);
    sqlx::query("update plans set name = ?2, source = ?3, version = ?4, updated_at = ?5, draft = ?6, latest = ?7, file = ?8 where id = ?1")
        .bind(bytes(id.0))
        .bind(saved.name.as_str())
        .bind(source_text(saved.source))
        .bind(i64::from(saved.version))
        .bind(now)
        .bind(saved.draft.map(i64::from))
        .bind(i64::from(next.latest))
        .bind(saved.file.as_deref())
        .execute(&mut *connection)
        .await
        .map_err(|error| name_taken(error.into(), plan))?;
    versions::retire(&saved, now, connection).await?;
    if next.in_force {
        routes::replace(id, plan, connection).await?;
        schedules::replace(id, plan, connection).await?;
    }
    bump_revision(connection).await?;
    Ok(saved)
}

async fn delete(org: OrgId, id: PlanId, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let done = sqlx::query("delete from plans where id = ?1 and org_id = ?2")
        .bind(bytes(id.0))
        .bind(bytes(org.0))
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() == 0 {
        return Err(plans::missing(id).into());
    }
    for sql in [
        "delete from webhook_routes where plan_id = ?1",
        "delete from schedules where plan_id = ?1",
        "delete from trigger_states where plan_id = ?1",
    ] {
        sqlx::query(sql).bind(bytes(id.0)).execute(&mut *connection).await?;
    }
    for sql in ["delete from state_values where org_id = ?1 and plan_id = ?2", "delete from state_seen where org_id = ?1 and plan_id = ?2"]
    {
        sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id.0)).execute(&mut *connection).await?;
    }
    shares::forget(org, id, connection).await?;
    versions::retire_all(id, now, connection).await?;
    bump_revision(connection).await
}

async fn get(org: OrgId, id: PlanId, connection: &mut SqliteConnection) -> Result<Option<PlanRecord>, Fail> {
    let row = sqlx::query(BY_ID).bind(bytes(org.0)).bind(bytes(id.0)).fetch_optional(connection).await?;
    row.map(|row| record(&row)).transpose()
}

/// The columns that [`record`] reads, in its order; the last one is a list's cursor.
macro_rules! select_plans {
    ($chosen:literal) => {
        concat!(
            "select p.id, p.org_id, p.user_id, p.name, p.source, p.version, v.document, p.created_at, p.updated_at, p.draft, p.file, p.no \
             from plans as p join plan_versions as v on v.plan_id = p.id \
             and v.version = case p.version when 0 then p.draft else p.version end where p.org_id = ?1 and ",
            $chosen
        )
    };
}

const BY_ID: &str = select_plans!("p.id = ?2");
/// A name may be used twice, but for files; the newest is meant.
const BY_NAME: &str = select_plans!("p.name = ?2 order by p.no desc limit 1");
const LIST: &str = select_plans!("p.no < ?2 order by p.no desc limit ?3");

fn record(row: &SqliteRow) -> Result<PlanRecord, Fail> {
    Ok(PlanRecord {
        id: PlanId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        name: row.try_get(3)?,
        source: source_of(row.try_get(4)?)?,
        version: row.try_get(5)?,
        document: json(row.try_get(6)?)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
        draft: row.try_get(9)?,
        file: row.try_get(10)?,
    })
}

fn name_taken(fail: Fail, plan: &NewPlan) -> Fail {
    if fail.is_taken() { plans::name_taken(plan).into() } else { fail }
}
