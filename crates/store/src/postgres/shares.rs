//! Who reaches a plan: its visibility, and the members it is shared with.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::id::{OrgId, PlanId, UserId};
use mainspring_model::store::{ShareStore, Sharing, StoreError};
use sqlx::Row;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::Stamp;
use super::{PostgresStore, plans};
use crate::shared::plans::missing;

#[async_trait]
impl ShareStore for PostgresStore {
    async fn sharing(&self, org: OrgId, plan: PlanId) -> Result<Option<Sharing>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select user_id, private from plans where org_id = $1 and id = $2";
            let Some(row) = session.query(sql).bind(org.0).bind(plan.0).fetch_optional(&mut *session).await? else {
                session.end().await?;
                return Ok(None);
            };
            let mut sharing = Sharing { owner: Some(UserId(row.try_get(0)?)), private: row.try_get(1)?, with: BTreeMap::new() };
            let sql = "select user_id, edits from plan_shares where org_id = $1 and plan_id = $2";
            for row in session.query(sql).bind(org.0).bind(plan.0).fetch_all(&mut *session).await? {
                sharing.with.insert(UserId(row.try_get(0)?), row.try_get(1)?);
            }
            session.end().await?;
            Ok(Some(sharing))
        };
        self.within(found).await
    }

    async fn set_sharing(&self, org: OrgId, plan: PlanId, private: bool, with: &BTreeMap<UserId, bool>) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let sql = "update plans set private = $3 where org_id = $1 and id = $2";
            let done = session.query(sql).bind(org.0).bind(plan.0).bind(private).execute(&mut *session).await?;
            if done.rows_affected() == 0 {
                return Err(missing(plan).into());
            }
            forget(org, plan, &mut session).await?;
            let (users, edits): (Vec<_>, Vec<bool>) = with.iter().map(|(user, edits)| (user.0, *edits)).unzip();
            session
                .query(
                    "insert into plan_shares (org_id, plan_id, user_id, edits, created_at) \
                     select $1, $2, v.user_id, v.edits, $5 from unnest($3::uuid[], $4::boolean[]) as v (user_id, edits)",
                )
                .bind(org.0)
                .bind(plan.0)
                .bind(users)
                .bind(edits)
                .bind(Stamp(session.now()))
                .execute(&mut *session)
                .await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn private_plans(&self, org: OrgId) -> Result<BTreeMap<PlanId, Sharing>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let found = private(org, &mut session).await?;
            session.end().await?;
            Ok(found)
        };
        self.within(found).await
    }
}

/// With the plan, so that another of its id begins anew.
pub(super) async fn forget(org: OrgId, plan: PlanId, session: &mut Session) -> Result<(), Fail> {
    let query = session.query("delete from plan_shares where org_id = $1 and plan_id = $2").bind(org.0).bind(plan.0);
    query.execute(&mut **session).await?;
    Ok(())
}

async fn private(org: OrgId, session: &mut Session) -> Result<BTreeMap<PlanId, Sharing>, Fail> {
    let mut found = BTreeMap::new();
    let sql = "select id, user_id from plans where org_id = $1 and private";
    for row in session.query(sql).bind(org.0).fetch_all(&mut **session).await? {
        let sharing = Sharing { owner: Some(UserId(row.try_get(1)?)), private: true, with: BTreeMap::new() };
        found.insert(PlanId(row.try_get(0)?), sharing);
    }
    let sql = "select plan_id, user_id, edits from plan_shares where org_id = $1";
    for row in session.query(sql).bind(org.0).fetch_all(&mut **session).await? {
        if let Some(sharing) = found.get_mut(&PlanId(row.try_get(0)?)) {
            sharing.with.insert(UserId(row.try_get(1)?), row.try_get(2)?);
        }
    }
    Ok(found)
}
