//! Schedules: when each cron and interval trigger is due next, and which triggers that listen have signals to look at.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, Owner, PlanId, ScheduleId, UserId};
use mainspring_model::store::{
    FailingTrigger, NewPlan, ScheduleRecord, ScheduleStore, StoreError, TriggerStanding, TriggerState, listening_to,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, runs, text_of, trigger_states, uuid};
use crate::shared::plans::goes_on;

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn due_schedules(&self, now: Millis, limit: u32) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(DUE).bind(now).bind(i64::from(limit)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query(NEXT).fetch_one(connection).await?;
                Ok(row.try_get(0)?)
            })
        })
        .await
    }

    async fn skip_slots(
        &self,
        id: ScheduleId,
        seen: Millis,
        last_due: Option<Millis>,
        next_due: Option<Millis>,
    ) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let done = sqlx::query("update schedules set last_due = coalesce(?3, last_due), next_due = ?4 where id = ?1 and next_due = ?2")
                .bind(bytes(id.0))
                .bind(seen)
                .bind(last_due)
                .bind(next_due)
                .execute(connection)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn heard(&self, id: ScheduleId, seen: Millis, upto: Option<Millis>) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let sql = "update schedules set last_due = coalesce(max(last_due, ?3), ?3, last_due), \
                       next_due = case when next_due = ?2 then null else next_due end where id = ?1 returning next_due is null";
            let row = sqlx::query(sql).bind(bytes(id.0)).bind(seen).bind(upto).fetch_optional(connection).await?;
            row.map_or(Ok(true), |row| Ok(row.try_get(0)?))
        })
        .await
    }

    async fn listens(&self, org: OrgId, topic: &str) -> Result<bool, StoreError> {
        let rule = listening_to(topic);
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(LISTENER).bind(bytes(org.0)).bind(rule.as_str());
                Ok(query.fetch_optional(connection).await?.is_some())
            })
        })
        .await
    }

    async fn trigger_state(&self, org: OrgId, plan: PlanId, trigger: &str) -> Result<Option<TriggerState>, StoreError> {
        trigger_states::get(self, org, plan, trigger).await
    }

    async fn settle_trigger(
        &self,
        id: ScheduleId,
        seen: Millis,
        last_due: Option<Millis>,
        next_due: Option<Millis>,
        state: &TriggerState,
    ) -> Result<bool, StoreError> {
        trigger_states::settle(self, id, seen, (last_due, next_due), state).await
    }

    async fn trigger_standings(&self, org: OrgId) -> Result<Vec<(PlanId, String, TriggerStanding)>, StoreError> {
        trigger_states::of_org(self, org).await
    }

    async fn failing_triggers(&self, least: u32, limit: u32) -> Result<Vec<FailingTrigger>, StoreError> {
        trigger_states::failing(self, least, limit).await
    }

    async fn list_schedules(&self, org: OrgId) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }
}

/// The columns that [`record`] reads, in its order. The last status is read from the runs: no end of a run has to write it here.
macro_rules! select_schedules {
    ($rest:literal) => {
        concat!(
            "select s.id, s.plan_id, p.name, s.org_id, s.user_id, s.trigger_id, s.expression, s.timezone, s.misfire, s.next_due, \
             s.last_due, (select r.status from runs as r where r.slot_schedule = s.id and r.slot_schedule is not null \
             order by r.slot_due desc limit 1) from schedules as s join plans as p on p.id = s.plan_id where ",
            $rest
        )
    };
}

pub(super) const DUE: &str = select_schedules!(
    "s.next_due <= ?1 and not exists (select 1 from organizations as o where o.org_id = s.org_id and o.erase_at is not null) \
     order by s.next_due, s.no limit ?2"
);
/// The earliest of what a scheduler would fire: schedules of an organization that is to be removed rest.
const NEXT: &str = "select min(s.next_due) from schedules as s where s.next_due is not null and not exists \
     (select 1 from organizations as o where o.org_id = s.org_id and o.erase_at is not null)";
const OF_ORG: &str =
    select_schedules!("s.org_id = ?1 and substr(s.expression, 1, 3) <> 'on ' order by s.next_due is null, s.next_due, s.no");
pub(super) const LISTENER: &str =
    "select 1 from schedules where org_id = ?1 and expression = ?2 and substr(expression, 1, 3) = 'on ' limit 1";
const OF_PLAN: &str = select_schedules!("s.plan_id = ?1 order by s.no");

fn record(row: &SqliteRow) -> Result<ScheduleRecord, Fail> {
    Ok(ScheduleRecord {
        id: ScheduleId(uuid(row, 0)?),
        plan: PlanId(uuid(row, 1)?),
        plan_name: row.try_get(2)?,
        owner: Owner { org: OrgId(uuid(row, 3)?), user: UserId(uuid(row, 4)?) },
        trigger: row.try_get(5)?,
        expression: row.try_get(6)?,
        timezone: row.try_get(7)?,
        misfire: json(row.try_get(8)?)?,
        next_due: row.try_get(9)?,
        last_due: row.try_get(10)?,
        last_status: row.try_get::<Option<&str>, _>(11)?.map(runs::status).transpose()?,
    })
}

/// Makes the triggers due that listen to a topic. Earlier with each signal while they are not looked at, so that whoever looks sees that
/// another one came; never later than now. Gives up to where they have looked, the furthest; `None` when there are none.
pub(super) async fn hear(org: OrgId, topic: &str, now: Millis, connection: &mut SqliteConnection) -> Result<Option<Millis>, Fail> {
    let sql = "update schedules set next_due = min(?3, coalesce(next_due - 1, ?3)) where org_id = ?1 and expression = ?2 \
               returning coalesce(last_due, 0)";
    let rows = sqlx::query(sql).bind(bytes(org.0)).bind(listening_to(topic)).bind(now).fetch_all(connection).await?;
    let looked = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Millis>, _>>()?;
    Ok(looked.into_iter().max())
}

/// Puts a plan's schedules in place of those it had. One whose trigger, expression and zone are the same goes on where it was:
/// a slot that is due while its plan is saved is neither lost nor filled twice.
pub(super) async fn replace(plan: PlanId, new: &NewPlan, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let rows = sqlx::query(OF_PLAN).bind(bytes(plan.0)).fetch_all(&mut *connection).await?;
    let before = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    sqlx::query("delete from schedules where plan_id = ?1").bind(bytes(plan.0)).execute(&mut *connection).await?;
    for schedule in &new.schedules {
        let same = |old: &&ScheduleRecord| {
            (&old.trigger, &old.expression, &old.timezone) == (&schedule.trigger, &schedule.expression, &schedule.timezone)
        };
        let old = before.iter().find(same);
        sqlx::query(
            "insert into schedules (id, plan_id, org_id, user_id, trigger_id, expression, timezone, misfire, next_due, last_due) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )
        .bind(bytes(old.map_or(schedule.id, |old| old.id).0))
        .bind(bytes(plan.0))
        .bind(bytes(new.owner.org.0))
        .bind(bytes(new.owner.user.0))
        .bind(schedule.trigger.as_str())
        .bind(schedule.expression.as_str())
        .bind(schedule.timezone.as_deref())
        .bind(text_of(&schedule.misfire)?)
        .bind(old.map_or(schedule.next_due, |old| goes_on(old, schedule)))
        .bind(old.map_or(schedule.last_due, |old| old.last_due))
        .execute(&mut *connection)
        .await?;
    }
    // Out of force for a while: its triggers go on where they were.
    if new.schedules.is_empty() {
        return Ok(());
    }
    trigger_states::forget_others(plan, connection).await
}
