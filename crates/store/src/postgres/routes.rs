//! Webhook routes: which plans a path and method start.

use mainspring_model::id::{OrgId, PlanId};
use mainspring_model::store::{NewPlan, StoreError, WebhookRoute};
use sqlx::Row;

use super::error::Fail;
use super::session::Session;
use super::text;
use super::values::{kept, key};

/// Looks as the queue's role, which sees everybody's routes, whether a plan may have its own. Paths are locked first: of two
/// that want one path at once, the second waits and then sees the first one's.
///
/// # Errors
/// `Conflict` when an exclusive route would share its path and method, whoever has the other one.
pub(super) async fn are_free(plan: Option<PlanId>, new: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    let mut keys: Vec<_> = new.webhooks.iter().map(|route| key(&route.path)).collect();
    keys.sort_unstable();
    keys.dedup();
    for path in keys {
        let query = session.query("select pg_advisory_xact_lock(hashtextextended($1, 1835103092))");
        query.bind(path).execute(&mut **session).await?;
    }
    let mut seen: Vec<&WebhookRoute> = Vec::new();
    for route in &new.webhooks {
        let taken = session
            .query(
                "select from webhook_routes where path_key = $1 and method = $2 and (exclusive or $3) \
                 and ($4::uuid is null or plan_id <> $4) limit 1",
            )
            .bind(key(&route.path))
            .bind(kept(&route.method))
            .bind(route.exclusive)
            .bind(plan.map(|plan| plan.0))
            .fetch_optional(&mut **session)
            .await?
            .is_some();
        let among_its_own =
            seen.iter().any(|other| (&other.path, &other.method) == (&route.path, &route.method) && (other.exclusive || route.exclusive));
        if taken || among_its_own {
            return Err(StoreError::Conflict(format!("the webhook {} {} is taken; choose another path", route.method, route.path)).into());
        }
        seen.push(route);
    }
    Ok(())
}

/// Puts a plan's routes in place of those it had, after [`are_free`].
pub(super) async fn replace(plan: PlanId, new: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    let org = new.owner.org.0;
    let query = session.query("delete from webhook_routes where org_id = $1 and plan_id = $2").bind(org).bind(plan.0);
    query.execute(&mut **session).await?;
    for (position, route) in (0_i32..).zip(&new.webhooks) {
        session
            .query(
                "insert into webhook_routes (org_id, plan_id, position, path, path_key, method, trigger_id, exclusive) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(org)
            .bind(plan.0)
            .bind(position)
            .bind(kept(&route.path))
            .bind(key(&route.path))
            .bind(kept(&route.method))
            .bind(kept(&route.trigger))
            .bind(route.exclusive)
            .execute(&mut **session)
            .await?;
    }
    Ok(())
}

/// Every route, in the order in which their plans were made.
pub(super) async fn all(session: &mut Session) -> Result<Vec<WebhookRoute>, Fail> {
    let query = session.query(
        "select plan_id, org_id, path, method, trigger_id, exclusive from webhook_routes as w where not exists \
         (select from organizations as o where o.org_id = w.org_id and o.erase_at is not null) order by plan_id, position",
    );
    let rows = query.fetch_all(&mut **session).await?;
    let route = |row: &sqlx::postgres::PgRow| {
        Ok(WebhookRoute {
            plan: PlanId(row.try_get(0)?),
            org: OrgId(row.try_get(1)?),
            path: text(row, 2)?,
            method: text(row, 3)?,
            trigger: text(row, 4)?,
            exclusive: row.try_get(5)?,
        })
    };
    rows.iter().map(route).collect()
}
