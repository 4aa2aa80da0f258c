//! Plans and their versions.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, Owner, PlanId, UserId};
use mainspring_model::store::{NewPlan, Page, Paging, PlanRecord, PlanStore, PlanSummary, StoreError, WebhookRoute};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, enter_org_of, json, routes, schedules, shares, text, whole};
use crate::shared::cursor::{self, IdCursor};
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
    session
        .query(
            "insert into plans (org_id, id, user_id, name, name_key, source, version, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, 1, $7, $7)",
        )
        .bind(plan.owner.org.0)
        .bind(id.0)
        .bind(plan.owner.user.0)
        .bind(kept(&plan.name))
        .bind(key(&plan.name))
        .bind(source_text(plan.source))
        .bind(Stamp(now))
        .execute(&mut **session)
        .await
        .map_err(|error| name_taken(error.into(), plan))?;
    insert_version(id, 1, plan, session).await?;
    routes::replace(id, plan, session).await?;
    schedules::replace(id, plan, session).await?;
    bump_revision(session).await?;
    Ok(first_version(id, plan, now))
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
    if expected.is_some_and(|version| version != current.version) {
        return Err(StoreError::Stale { what: format!("the plan {id}"), current: current.version }.into());
    }
    free?;
    // Compared as text: the same members in another order are another document to whoever reads it.
    let changed = text_of(&current.document)? != text_of(&plan.document)?;
    let version = current.version + u32::from(changed);
    let now = session.now();
    session
        .query("update plans set name = $3, name_key = $4, source = $5, version = $6, updated_at = $7 where org_id = $1 and id = $2")
        .bind(org.0)
        .bind(id.0)
        .bind(kept(&plan.name))
        .bind(key(&plan.name))
        .bind(source_text(plan.source))
        .bind(i64::from(version))
        .bind(Stamp(now))
        .execute(&mut **session)
        .await
        .map_err(|error| name_taken(error.into(), plan))?;
    if changed {
        retire(org, id, session).await?;
        insert_version(id, version, plan, session).await?;
    }
    routes::replace(id, plan, session).await?;
    schedules::replace(id, plan, session).await?;
    bump_revision(session).await?;
    let (name, source, document) = (plan.name.clone(), plan.source, plan.document.clone());
    Ok(PlanRecord { name, source, version, document, updated_at: now, ..current })
}

async fn delete(org: OrgId, id: PlanId, session: &mut Session) -> Result<(), Fail> {
    let done = session.query("delete from plans where org_id = $1 and id = $2").bind(org.0).bind(id.0).execute(&mut **session).await?;
    if done.rows_affected() == 0 {
        return Err(plans::missing(id).into());
    }
    for sql in [
        "delete from webhook_routes where org_id = $1 and plan_id = $2",
        "delete from schedules where org_id = $1 and plan_id = $2",
        "delete from trigger_states where org_id = $1 and plan_id = $2",
    ] {
        session.query(sql).bind(org.0).bind(id.0).execute(&mut **session).await?;
    }
    shares::forget(org, id, session).await?;
    retire(org, id, session).await?;
    bump_revision(session).await
}

/// The versions there are become history.
async fn retire(org: OrgId, id: PlanId, session: &mut Session) -> Result<(), Fail> {
    let sql = "update plan_versions set retired_at = $3 where org_id = $1 and plan_id = $2 and retired_at is null";
    session.query(sql).bind(org.0).bind(id.0).bind(Stamp(session.now())).execute(&mut **session).await?;
    Ok(())
}

async fn insert_version(id: PlanId, version: u32, plan: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    session
        .query("insert into plan_versions (org_id, plan_id, version, document, created_at) values ($1, $2, $3, $4::text::json, $5)")
        .bind(plan.owner.org.0)
        .bind(id.0)
        .bind(i64::from(version))
        .bind(text_of(&plan.document)?)
        .bind(Stamp(session.now()))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn get(org: OrgId, id: PlanId, session: &mut Session) -> Result<Option<PlanRecord>, Fail> {
    let row = session.query(BY_ID).bind(org.0).bind(id.0).fetch_optional(&mut **session).await?;
    row.map(|row| record(&row)).transpose()
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_plans {
    ($chosen:literal) => {
        concat!(
            "select p.id, p.org_id, p.user_id, p.name, p.source, p.version, v.document::text, p.created_at, p.updated_at \
             from plans as p join plan_versions as v on v.org_id = p.org_id and v.plan_id = p.id and v.version = p.version \
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
    })
}

fn name_taken(fail: Fail, plan: &NewPlan) -> Fail {
    if fail.is_taken() { plans::name_taken(plan).into() } else { fail }
}
