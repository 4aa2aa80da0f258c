//! What triggers remember between their looks.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, Owner, PlanId, ScheduleId, UserId};
use mainspring_model::store::{FailingTrigger, StoreError, TriggerStanding, TriggerState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, uuid};
use crate::shared::json::text_of;

pub(super) async fn get(store: &SqliteStore, org: OrgId, plan: PlanId, trigger: &str) -> Result<Option<TriggerState>, StoreError> {
    let trigger = trigger.to_owned();
    store
        .read(move |connection| {
            Box::pin(async move {
                let sql = "select failures, failing_since, error, worked_at, seen from trigger_states \
                           where plan_id = ?1 and trigger_id = ?2 and org_id = ?3";
                let query = sqlx::query(sql).bind(bytes(plan.0)).bind(trigger).bind(bytes(org.0));
                let row = query.fetch_optional(connection).await?;
                row.map(|row| Ok(TriggerState { seen: json(row.try_get(4)?)?, standing: standing(&row, 0)? })).transpose()
            })
        })
        .await
}

/// `moved`: the schedule's `last_due`, which stays when there is none, and its `next_due`.
pub(super) async fn settle(
    store: &SqliteStore,
    id: ScheduleId,
    seen: Millis,
    moved: (Option<Millis>, Option<Millis>),
    state: &TriggerState,
) -> Result<bool, StoreError> {
    let (text, standing) = (text_of(&state.seen)?, state.standing.clone());
    let error = standing.error.as_ref().map(text_of).transpose()?;
    store
        .write(async move |connection| {
            let sql = "update schedules set last_due = coalesce(?3, last_due), next_due = ?4 where id = ?1 and next_due = ?2";
            let query = sqlx::query(sql).bind(bytes(id.0)).bind(seen).bind(moved.0).bind(moved.1);
            if query.execute(&mut *connection).await?.rows_affected() == 0 {
                return Ok(false);
            }
            let sql = "insert into trigger_states (org_id, plan_id, trigger_id, seen, failures, failing_since, error, worked_at) \
                       select org_id, plan_id, trigger_id, ?2, ?3, ?4, ?5, ?6 from schedules where id = ?1 \
                       on conflict (plan_id, trigger_id) do update set seen = excluded.seen, failures = excluded.failures, \
                       failing_since = excluded.failing_since, error = excluded.error, worked_at = excluded.worked_at";
            sqlx::query(sql)
                .bind(bytes(id.0))
                .bind(text.as_str())
                .bind(i64::from(standing.failures))
                .bind(standing.failing_since)
                .bind(error.as_deref())
                .bind(standing.worked_at)
                .execute(connection)
                .await?;
            Ok(true)
        })
        .await
}

pub(super) async fn of_org(store: &SqliteStore, org: OrgId) -> Result<Vec<(PlanId, String, TriggerStanding)>, StoreError> {
    store
        .read(move |connection| {
            Box::pin(async move {
                let sql = "select failures, failing_since, error, worked_at, plan_id, trigger_id from trigger_states where org_id = ?1";
                let rows = sqlx::query(sql).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((PlanId(uuid(row, 4)?), row.try_get(5)?, standing(row, 0)?))).collect()
            })
        })
        .await
}

pub(super) async fn failing(store: &SqliteStore, least: u32, limit: u32) -> Result<Vec<FailingTrigger>, StoreError> {
    store
        .read(move |connection| {
            Box::pin(async move {
                let sql = "select t.failures, t.failing_since, t.error, t.worked_at, s.id, s.plan_id, p.name, s.org_id, s.user_id, \
                           s.trigger_id from trigger_states as t join schedules as s on s.plan_id = t.plan_id \
                           and s.trigger_id = t.trigger_id join plans as p on p.id = t.plan_id \
                           where t.failures > 0 and t.failures >= ?1 limit ?2";
                let rows = sqlx::query(sql).bind(i64::from(least)).bind(i64::from(limit)).fetch_all(connection).await?;
                let one = |row: &SqliteRow| {
                    Ok(FailingTrigger {
                        schedule: ScheduleId(uuid(row, 4)?),
                        plan: PlanId(uuid(row, 5)?),
                        plan_name: row.try_get(6)?,
                        owner: Owner { org: OrgId(uuid(row, 7)?), user: UserId(uuid(row, 8)?) },
                        trigger: row.try_get(9)?,
                        standing: standing(row, 0)?,
                    })
                };
                rows.iter().map(one).collect()
            })
        })
        .await
}

/// Removes what triggers remembered that the plan has no more.
pub(super) async fn forget_others(plan: PlanId, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let sql = "delete from trigger_states where plan_id = ?1 and trigger_id not in (select trigger_id from schedules where plan_id = ?1)";
    sqlx::query(sql).bind(bytes(plan.0)).execute(connection).await?;
    Ok(())
}

/// From four columns, the first at `at`.
fn standing(row: &SqliteRow, at: usize) -> Result<TriggerStanding, Fail> {
    let failures: i64 = row.try_get(at)?;
    Ok(TriggerStanding {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failing_since: row.try_get(at + 1)?,
        error: row.try_get::<Option<&str>, _>(at + 2)?.map(json).transpose()?,
        worked_at: row.try_get(at + 3)?,
    })
}
