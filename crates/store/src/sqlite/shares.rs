//! Who reaches a plan: its visibility, and the members it is shared with.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::id::{OrgId, PlanId, UserId};
use mainspring_model::store::{ShareStore, Sharing, StoreError};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, plans, uuid};
use crate::shared::plans::missing;

#[async_trait]
impl ShareStore for SqliteStore {
    async fn sharing(&self, org: OrgId, plan: PlanId) -> Result<Option<Sharing>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select user_id, private from plans where org_id = ?1 and id = ?2";
                let row = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(plan.0)).fetch_optional(&mut *connection).await?;
                let Some(row) = row else { return Ok(None) };
                let mut sharing = Sharing { owner: Some(UserId(uuid(&row, 0)?)), private: row.try_get(1)?, with: BTreeMap::new() };
                let sql = "select user_id, edits from plan_shares where org_id = ?1 and plan_id = ?2";
                for row in sqlx::query(sql).bind(bytes(org.0)).bind(bytes(plan.0)).fetch_all(connection).await? {
                    sharing.with.insert(UserId(uuid(&row, 0)?), row.try_get(1)?);
                }
                Ok(Some(sharing))
            })
        })
        .await
    }

    async fn set_sharing(&self, org: OrgId, plan: PlanId, private: bool, with: &BTreeMap<UserId, bool>) -> Result<(), StoreError> {
        let (with, now) = (with.clone(), self.now_ms());
        self.write(async move |connection| {
            let sql = "update plans set private = ?3 where org_id = ?1 and id = ?2";
            let done = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(plan.0)).bind(private).execute(&mut *connection).await?;
            if done.rows_affected() == 0 {
                return Err(missing(plan).into());
            }
            forget(org, plan, connection).await?;
            for (user, edits) in &with {
                sqlx::query("insert into plan_shares (org_id, plan_id, user_id, edits, created_at) values (?1, ?2, ?3, ?4, ?5)")
                    .bind(bytes(org.0))
                    .bind(bytes(plan.0))
                    .bind(bytes(user.0))
                    .bind(*edits)
                    .bind(now)
                    .execute(&mut *connection)
                    .await?;
            }
            plans::bump_revision(connection).await
        })
        .await
    }

    async fn private_plans(&self, org: OrgId) -> Result<BTreeMap<PlanId, Sharing>, StoreError> {
        self.read(move |connection| Box::pin(private(org, connection))).await
    }
}

/// With the plan, so that another of its id begins anew.
pub(super) async fn forget(org: OrgId, plan: PlanId, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let query = sqlx::query("delete from plan_shares where org_id = ?1 and plan_id = ?2").bind(bytes(org.0)).bind(bytes(plan.0));
    query.execute(connection).await?;
    Ok(())
}

async fn private(org: OrgId, connection: &mut SqliteConnection) -> Result<BTreeMap<PlanId, Sharing>, Fail> {
    let mut found = BTreeMap::new();
    let sql = "select id, user_id from plans where org_id = ?1 and private = 1";
    for row in sqlx::query(sql).bind(bytes(org.0)).fetch_all(&mut *connection).await? {
        let sharing = Sharing { owner: Some(UserId(uuid(&row, 1)?)), private: true, with: BTreeMap::new() };
        found.insert(PlanId(uuid(&row, 0)?), sharing);
    }
    let sql = "select plan_id, user_id, edits from plan_shares where org_id = ?1";
    for row in sqlx::query(sql).bind(bytes(org.0)).fetch_all(connection).await? {
        if let Some(sharing) = found.get_mut(&PlanId(uuid(&row, 0)?)) {
            sharing.with.insert(UserId(uuid(&row, 1)?), row.try_get(2)?);
        }
    }
    Ok(found)
}
