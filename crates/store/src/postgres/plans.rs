//! Plans and their versions.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::store::{NewPlan, Page, Paging, PlanRecord, PlanStore, PlanSummary, StoreError, VersionRecord, WebhookRoute};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, enter_org_of, json, routes, schedules, shares, text, text_or_none, versions, whole, whole_or_none};
use crate::shared::cursor::{self, Cursor, IdCursor};
use crate::shared::json::text_of;
use crate::shared::plans::{self, first_version, source_of, source_text, summary};

#[async_trait]
impl PlanStore for PostgresStore {
    async fn create_plan(&self, id: PlanId, plan: NewPlan) -> Result<PlanRecord, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            routes::are_free(None, &plan, &mut session).await?;
            // An id is one plan's, whoever owns it: a run names its plan by nothing else.
            let query = session.query("select from plans where id = $1").bind(id.0);
            let taken = query.fetch_optional(&mut *session).await?.is_some();
            session.enter(Scope::Org(plan.owner.org)).await?;
            if taken {
                return Err(StoreError::Conflict("there is a plan with this id already".to_owned()).into());
            }
            let record = create(id, &plan, &mut session).await?;
            session.commit().await?;
            Ok(record)
        };
        self.within(done).await
    }

    async fn update_plan(&self, id: PlanId, expected: Option<u32>, plan: NewPlan) -> Result<PlanRecord, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            let free = match routes::are_free(Some(id), &plan, &mut session).await {
                Err(fail @ Fail::Sql(_)) => return Err(fail),
                free => free,
            };
            session.enter(Scope::Org(plan.owner.org)).await?;
            let record = update(id, expected, &plan, free, &mut session).await?;
            session.commit().await?;
            Ok(record)
        };
        self.within(done).await
    }

    async fn delete_plan(&self, org: OrgId, id: PlanId) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            delete(org, id, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn get_plan(&self, org: OrgId, id: PlanId) -> Result<Option<PlanRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let record = get(org, id, &mut session).await?;
            session.end().await?;
            Ok(record)
        };
        self.within(found).await
    }

    async fn plan_by_name(&self, org: OrgId, name: &str) -> Result<Option<PlanRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let row = session.query(BY_NAME).bind(org.0).bind(key(name)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| record(&row)).transpose()
        };
        self.within(found).await
    }

    async fn list_plans(&self, org: OrgId, paging: &Paging) -> Result<Page<PlanSummary>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(LIST).bind(org.0).bind(Stamp(cursor.at)).bind(cursor.id).bind(cursor::limit(paging));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            let found = rows.iter().map(|row| {
                let plan = record(row)?;
                Ok((IdCursor { at: plan.created_at, id: plan.id.0, seq: 0 }, summary(plan)))
            });
            Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
        };
        self.within(found).await
    }

    async fn plan_versions(&self, org: OrgId, id: PlanId, paging: &Paging) -> Result<Page<VersionRecord>, StoreError> {
        let cursor = Cursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let page = versions::list(org, id, cursor, paging, &mut session).await?;
            session.end().await?;
            Ok(page)
        };
        self.within(found).await
    }

    async fn move_run(&self, org: OrgId, run: RunId, from: u32, to: u32, seq: u32) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let moved = versions::move_run(org, run, from, to, seq, &mut session).await?;
            session.commit().await?;
            Ok(moved)
        };
        self.within(done).await
    }

    async fn plan_version(&self, id: PlanId, version: u32) -> Result<Option<Value>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let sql = "select org_id from plan_versions where plan_id = $1 limit 1";
            let Some(org) = enter_org_of(sql, id.0, &mut session).await? else {
                session.end().await?;
                return Ok(None);
            };
            let query = session.query("select document::text from plan_versions where org_id = $1 and plan_id = $2 and version = $3");
            let row = query.bind(org.0).bind(id.0).bind(i64::from(version)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| json(&row, 0)).transpose()
        };
        self.within(found).await
    }

    async fn webhook_routes(&self) -> Result<Vec<WebhookRoute>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let routes = routes::all(&mut session).await?;
            session.end().await?;
            Ok(routes)
        };
        self.within(found).await
    }

    async fn plans_revision(&self) -> Result<i64, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Nobody).await?;
            let row = session.query("select plans_revision from store_state").fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(row.try_get(0)?)
        };
        self.within(found).await
    }
}

/// Tells every process that plans, schedules or integrations are not what it remembers. Last before the commit: it is one row.
pub(super) async fn bump_revision(session: &mut Session) -> Result<(), Fail> {
    session.query("update store_state set plans_revision = plans_revision + 1").execute(&mut **session).await?;
    Ok(())
}

async fn create(id: PlanId, plan: &NewPlan, session: &mut Session) -> Result<PlanRecord, Fail> {
    let now = session.now();
    let made = first_version(id, plan, now);
    session
        .query(
            "insert into plans (org_id, id, user_id, name, name_key, source, version, created_at, updated_at, draft, latest, file) \
             values ($1, $2, $3, $4, $5, $6, $8, $7, $7, $9, 1, $10)",
        )
        .bind(plan.owner.org.0)
        .bind(id.0)
        .bind(plan.owner.user.0)
        .bind(kept(&plan.name))
        .bind(key(&plan.name))
        .bind(source_text(plan.source))
        .bind(Stamp(now))
        .bind(i64::from(made.version))
        .bind(made.draft.map(i64::from))
        .bind(plan.file.as_deref().map(kept))
        .execute(&mut **session)
        .await
        .map_err(|error| name_taken(error.into(), plan))?;
    versions::insert(id, 1, plan, (made.version > 0).then_some(now), session).await?;
    if made.version > 0 {
        routes::replace(id, plan, session).await?;
        schedules::replace(id, plan, session).await?;
    }
    bump_revision(session).await?;
    Ok(made)
}

async fn update(
    id: PlanId,
    expected: Option<u32>,
    plan: &NewPlan,
    free: Result<(), Fail>,
    session: &mut Session,
) -> Result<PlanRecord, Fail> {
    let org = plan.owner.org;
    // Locked before it is compared: two that save at once take turns, and the second sees the first one's version.
    let query = session.query("select from plans where org_id = $1 and id = $2 for no key update").bind(org.0).bind(id.0);
    query.fetch_optional(&mut **session).await?.ok_or_else(|| plans::missing(id))?;
    let current = get(org, id, session).await?.ok_or_else(|| plans::missing(id))?;
    if expected.is_some_and(|version| version != current.newest()) {
        return Err(StoreError::Stale { what: format!("the plan {id}"), current: current.newest() }.into());
    }
    // Compared as text: the same members in another order are another document to whoever reads it.
    let text = text_of(&plan.document)?;
    let published = current.version > 0 && text_of(&current.document)? == text;
    let draft = versions::is(org, id, current.draft, &text, session).await?;
    let row =
        session.query("select latest from plans where org_id = $1 and id = $2").bind(org.0).bind(id.0).fetch_one(&mut **session).await?;
    let next = plans::next(&current, whole(&row, 0)?, plan, published, draft)?;
    if next.in_force {
        free?;
    }
    let now = session.now();
    if let Some(version) = next.write {
        versions::insert(id, version, plan, next.publish.map(|_| now), session).await?;
    } else if let Some(version) = next.publish {
        versions::publish(id, version, plan, session).await?;
    }
    let saved = plans::saved(current, &next, plan, now);
    session
        .query(
            "update plans set name = $3, name_key = $4, source = $5, version = $6, updated_at = $7, draft = $8, latest = $9, file = $10 \
             where org_id = $1 and id = $2",
        )
        .bind(org.0)
        .bind(id.0)
        .bind(kept(&saved.name).into_owned())
        .bind(key(&saved.name).into_owned())
        .bind(source_text(saved.source))
        .bind(i64::from(saved.version))
        .bind(Stamp(now))
        .bind(saved.draft.map(i64::from))
        .bind(i64::from(next.latest))
        .bind(saved.file.as_deref().map(|file| kept(file).into_owned()))
        .execute(&mut **session)
        .await
        .map_err(|error| name_taken(error.into(), plan))?;
    versions::retire(&saved, session).await?;
    if next.in_force {
        routes::replace(id, plan, session).await?;
        schedules::replace(id, plan, session).await?;
    }
    bump_revision(session).await?;
    Ok(saved)
}

async fn delete(org: OrgId, id: PlanId, session: &mut Session) -> Result<(), Fail> {
    let done = session.query("delete from plans where org_id = $1 and id = $2").bind(org.0).bind(id.0).execute(&mut **session).await?;
    if done.rows_affected() == 0 {
        return Err(plans::missing(id).into());
    }
    for sql in ["delete from webhook_routes where org_id = $1 and plan_id = $2", "delete from schedules where org_id = $1 and plan_id = $2"]
    {
        session.query(sql).bind(org.0).bind(id.0).execute(&mut **session).await?;
    }
    shares::forget(org, id, session).await?;
    versions::retire_all(org, id, session).await?;
    bump_revision(session).await
}

async fn get(org: OrgId, id: PlanId, session: &mut Session) -> Result<Option<PlanRecord>, Fail> {
    let row = session.query(BY_ID).bind(org.0).bind(id.0).fetch_optional(&mut **session).await?;
    row.map(|row| record(&row)).transpose()
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_plans {
    ($chosen:literal) => {
        concat!(
            "select p.id, p.org_id, p.user_id, p.name, p.source, p.version, v.document::text, p.created_at, p.updated_at, p.draft, p.file \
             from plans as p join plan_versions as v on v.org_id = p.org_id and v.plan_id = p.id \
             and v.version = case p.version when 0 then p.draft else p.version end \
             where p.org_id = $1 and ",
            $chosen
        )
    };
}

const BY_ID: &str = select_plans!("p.id = $2");
/// A name may be used twice, but for files; the newest is meant.
const BY_NAME: &str = select_plans!("p.name_key = $2 order by p.created_at desc, p.id desc limit 1");
const LIST: &str = select_plans!("(p.created_at, p.id) < ($2, $3) order by p.created_at desc, p.id desc limit $4");

fn record(row: &PgRow) -> Result<PlanRecord, Fail> {
    Ok(PlanRecord {
        id: PlanId(row.try_get::<Uuid, _>(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        name: text(row, 3)?,
        source: source_of(row.try_get(4)?)?,
        version: whole(row, 5)?,
        document: json(row, 6)?,
        created_at: at(row, 7)?,
        updated_at: at(row, 8)?,
        draft: whole_or_none(row, 9)?,
        file: text_or_none(row, 10)?,
    })
}

fn name_taken(fail: Fail, plan: &NewPlan) -> Fail {
    if fail.is_taken() { plans::name_taken(plan).into() } else { fail }
}
