//! What triggers remember between their looks.

use std::collections::BTreeSet;

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, Owner, PlanId, ScheduleId, UserId};
use mainspring_model::store::{FailingTrigger, StoreError, TriggerStanding, TriggerState};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at_or_none, enter_org_of, json, json_or_none, text};
use crate::shared::json::text_of;

pub(super) async fn get(store: &PostgresStore, org: OrgId, plan: PlanId, trigger: &str) -> Result<Option<TriggerState>, StoreError> {
    let found = async {
        let mut session = store.read(Scope::Org(org)).await?;
        let sql = "select failures, failing_since, error::text, worked_at, seen::text from trigger_states \
                   where org_id = $1 and plan_id = $2 and trigger_id = $3";
        let row = session.query(sql).bind(org.0).bind(plan.0).bind(kept(trigger)).fetch_optional(&mut *session).await?;
        session.end().await?;
        row.map(|row| Ok(TriggerState { seen: json(&row, 4)?, standing: standing(&row, 0)? })).transpose()
    };
    store.within(found).await
}

/// `moved`: the schedule's `last_due`, which stays when there is none, and its `next_due`.
pub(super) async fn settle(
    store: &PostgresStore,
    id: ScheduleId,
    seen: Millis,
    moved: (Option<Millis>, Option<Millis>),
    state: &TriggerState,
) -> Result<bool, StoreError> {
    let done = async {
        let error = state.standing.error.as_ref().map(text_of).transpose()?;
        let mut session = store.steps.open(Scope::Queue, true, None).await?;
        let Some(org) = enter_org_of("select org_id from schedules where id = $1", id.0, &mut session).await? else {
            session.end().await?;
            return Ok(false);
        };
        let sql = "update schedules set last_due = coalesce($4, last_due), next_due = $5 where org_id = $1 and id = $2 and next_due = $3";
        let query = session.query(sql).bind(org.0).bind(id.0).bind(Stamp(seen)).bind(moved.0.map(Stamp)).bind(moved.1.map(Stamp));
        if query.execute(&mut *session).await?.rows_affected() == 0 {
            session.end().await?;
            return Ok(false);
        }
        let sql = "insert into trigger_states (org_id, plan_id, trigger_id, seen, failures, failing_since, error, worked_at) \
                   select org_id, plan_id, trigger_id, $3::text::json, $4, $5, $6::text::json, $7 from schedules \
                   where org_id = $1 and id = $2 \
                   on conflict (org_id, plan_id, trigger_id) do update set seen = excluded.seen, failures = excluded.failures, \
                   failing_since = excluded.failing_since, error = excluded.error, worked_at = excluded.worked_at";
        session
            .query(sql)
            .bind(org.0)
            .bind(id.0)
            .bind(text_of(&state.seen)?)
            .bind(i32::try_from(state.standing.failures).unwrap_or(i32::MAX))
            .bind(state.standing.failing_since.map(Stamp))
            .bind(error)
            .bind(state.standing.worked_at.map(Stamp))
            .execute(&mut *session)
            .await?;
        session.commit().await?;
        Ok(true)
    };
    store.within(done).await
}

pub(super) async fn of_org(store: &PostgresStore, org: OrgId) -> Result<Vec<(PlanId, String, TriggerStanding)>, StoreError> {
    let found = async {
        let mut session = store.read(Scope::Org(org)).await?;
        let sql = "select failures, failing_since, error::text, worked_at, plan_id, trigger_id from trigger_states where org_id = $1";
        let rows = session.query(sql).bind(org.0).fetch_all(&mut *session).await?;
        session.end().await?;
        rows.iter().map(|row| Ok((PlanId(row.try_get(4)?), text(row, 5)?, standing(row, 0)?))).collect()
    };
    store.within(found).await
}

pub(super) async fn failing(store: &PostgresStore, least: u32, limit: u32) -> Result<Vec<FailingTrigger>, StoreError> {
    let found = async {
        let least = i32::try_from(least).unwrap_or(i32::MAX);
        let mut session = store.steps.open(Scope::Queue, false, None).await?;
        let query = session.query("select org_id from trigger_states where failures > 0 and failures >= $1");
        let rows = query.bind(least).fetch_all(&mut *session).await?;
        let orgs = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<Uuid>, _>>()?;
        let mut found = Vec::new();
        for org in orgs {
            session.enter(Scope::Org(OrgId(org))).await?;
            let sql = "select t.failures, t.failing_since, t.error::text, t.worked_at, s.id, s.plan_id, s.plan_name, s.user_id, s.trigger_id \
                       from trigger_states as t join schedules as s on s.org_id = t.org_id and s.plan_id = t.plan_id \
                       and s.trigger_id = t.trigger_id where t.org_id = $1 and t.failures > 0 and t.failures >= $2 limit $3";
            let query = session.query(sql).bind(org).bind(least).bind(i64::from(limit));
            for row in query.fetch_all(&mut *session).await? {
                found.push(FailingTrigger {
                    schedule: ScheduleId(row.try_get(4)?),
                    plan: PlanId(row.try_get(5)?),
                    plan_name: text(&row, 6)?,
                    owner: Owner { org: OrgId(org), user: UserId(row.try_get(7)?) },
                    trigger: text(&row, 8)?,
                    standing: standing(&row, 0)?,
                });
            }
        }
        session.end().await?;
        Ok(found)
    };
    store.within(found).await
}

/// Removes what triggers remembered that the plan has no more.
pub(super) async fn forget_others(plan: PlanId, org: OrgId, session: &mut Session) -> Result<(), Fail> {
    let sql = "delete from trigger_states as t where t.org_id = $1 and t.plan_id = $2 and not exists \
               (select from schedules as s where s.org_id = $1 and s.plan_id = $2 and s.trigger_id = t.trigger_id)";
    session.query(sql).bind(org.0).bind(plan.0).execute(&mut **session).await?;
    Ok(())
}

/// From four columns, the first at `at`.
fn standing(row: &PgRow, at: usize) -> Result<TriggerStanding, Fail> {
    let failures: i32 = row.try_get(at)?;
    Ok(TriggerStanding {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failing_since: at_or_none(row, at + 1)?,
        error: json_or_none(row, at + 2)?,
        worked_at: at_or_none(row, at + 3)?,
    })
}
