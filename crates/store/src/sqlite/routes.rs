//! Webhook routes: which plans a path and method start.

use mainspring_model::id::{OrgId, PlanId};
use mainspring_model::store::{NewPlan, StoreError, WebhookRoute};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{bytes, uuid};

/// Puts a plan's routes in place of those it had.
///
/// # Errors
/// `Conflict` when an exclusive route would share its path and method, whoever has the other one.
pub(super) async fn replace(plan: PlanId, new: &NewPlan, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("delete from webhook_routes where plan_id = ?1").bind(bytes(plan.0)).execute(&mut *connection).await?;
    for route in &new.webhooks {
        let taken = sqlx::query("select 1 from webhook_routes where path = ?1 and method = ?2 and (exclusive = 1 or ?3 = 1) limit 1")
            .bind(route.path.as_str())
            .bind(route.method.as_str())
            .bind(route.exclusive)
            .fetch_optional(&mut *connection)
            .await?;
        if taken.is_some() {
            return Err(StoreError::Conflict(format!("the webhook {} {} is taken; choose another path", route.method, route.path)).into());
        }
        sqlx::query("insert into webhook_routes (plan_id, org_id, path, method, trigger_id, exclusive) values (?1, ?2, ?3, ?4, ?5, ?6)")
            .bind(bytes(plan.0))
            .bind(bytes(new.owner.org.0))
            .bind(route.path.as_str())
            .bind(route.method.as_str())
            .bind(route.trigger.as_str())
            .bind(route.exclusive)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Every route, in the order in which they were made.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<WebhookRoute>, Fail> {
    let rows = sqlx::query(
        "select plan_id, org_id, path, method, trigger_id, exclusive from webhook_routes as w \
         where not exists (select 1 from organizations as o where o.org_id = w.org_id and o.erase_at is not null) order by rowid",
    )
    .fetch_all(connection)
    .await?;
    let route = |row: &sqlx::sqlite::SqliteRow| {
        Ok(WebhookRoute {
            plan: PlanId(uuid(row, 0)?),
            org: OrgId(uuid(row, 1)?),
            path: row.try_get(2)?,
            method: row.try_get(3)?,
            trigger: row.try_get(4)?,
            exclusive: row.try_get(5)?,
        })
    };
    rows.iter().map(route).collect()
}
