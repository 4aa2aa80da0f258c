//! Schedules: when each cron and interval trigger is due next.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, Owner, PlanId, ScheduleId, UserId};
use mainspring_model::store::{
    FailingTrigger, NewPlan, ScheduleRecord, ScheduleStore, StoreError, TriggerStanding, TriggerState, listening_to,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at_or_none, enter_org_of, json, runs, text, text_or_none, trigger_states};
use crate::shared::json::text_of;
use crate::shared::plans::goes_on;

#[async_trait]
impl ScheduleStore for PostgresStore {
    async fn due_schedules(&self, now: Millis, limit: u32) -> Result<Vec<ScheduleRecord>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let rows = session.query(DUE).bind(Stamp(now)).bind(i64::from(limit)).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let query = session.query(
                "select min(s.next_due) from schedules as s where s.next_due is not null and not exists (select from organizations as o \
                 where o.org_id = s.org_id and o.erase_at is not null)",
            );
            let row = query.fetch_one(&mut *session).await?;
            session.end().await?;
            at_or_none(&row, 0)
        };
        self.within(found).await
    }

    async fn skip_slots(
        &self,
        id: ScheduleId,
        seen: Millis,
        last_due: Option<Millis>,
        next_due: Option<Millis>,
    ) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let sql = "select org_id from schedules where id = $1";
            let Some(org) = enter_org_of(sql, id.0, &mut session).await? else {
                session.end().await?;
                return Ok(false);
            };
            let done = session
                .query(
                    "update schedules set last_due = coalesce($4, last_due), next_due = $5 \
                     where org_id = $1 and id = $2 and next_due = $3",
                )
                .bind(org.0)
                .bind(id.0)
                .bind(Stamp(seen))
                .bind(last_due.map(Stamp))
                .bind(next_due.map(Stamp))
                .execute(&mut *session)
                .await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn heard(&self, id: ScheduleId, seen: Millis, upto: Option<Millis>) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let sql = "select org_id from schedules where id = $1";
            let Some(org) = enter_org_of(sql, id.0, &mut session).await? else {
                session.end().await?;
                return Ok(true);
            };
            let sql = "update schedules set last_due = greatest(last_due, $4), \
                       next_due = case when next_due = $3 then null else next_due end \
                       where org_id = $1 and id = $2 returning next_due is null";
            let query = session.query(sql).bind(org.0).bind(id.0).bind(Stamp(seen)).bind(upto.map(Stamp));
            let row = query.fetch_optional(&mut *session).await?;
            session.commit().await?;
            row.map_or(Ok(true), |row| Ok(row.try_get(0)?))
        };
        self.within(done).await
    }

    async fn listens(&self, org: OrgId, topic: &str) -> Result<bool, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select 1 from schedules where org_id = $1 and expression = $2 and starts_with(expression, 'on ') limit 1";
            let rule = listening_to(topic);
            let row = session.query(sql).bind(org.0).bind(kept(&rule)).fetch_optional(&mut *session).await?;
            session.end().await?;
            Ok(row.is_some())
        };
        self.within(found).await
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
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(OF_ORG).bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }
}

/// The columns that [`record`] reads, in its order. The last status is read from the runs: no end of a run has to write it here.
macro_rules! select_schedules {
    ($rest:literal) => {
        concat!(
            "select s.id, s.plan_id, s.plan_name, s.org_id, s.user_id, s.trigger_id, s.expression, s.timezone, s.misfire::text, s.next_due, \
             s.last_due, (select r.status from runs as r where r.org_id = s.org_id and r.slot_schedule = s.id \
             order by r.slot_due desc limit 1) from schedules as s where ",
            $rest
        )
    };
}

const DUE: &str = select_schedules!(
    "s.next_due <= $1 and not exists (select from organizations as o where o.org_id = s.org_id and o.erase_at is not null) \
     order by s.next_due, s.id limit $2"
);
const OF_ORG: &str = select_schedules!("s.org_id = $1 and not starts_with(s.expression, 'on ') order by s.next_due nulls last, s.id");
const OF_PLAN: &str = select_schedules!("s.org_id = $1 and s.plan_id = $2 order by s.id");

fn record(row: &PgRow) -> Result<ScheduleRecord, Fail> {
    Ok(ScheduleRecord {
        id: ScheduleId(row.try_get(0)?),
        plan: PlanId(row.try_get(1)?),
        plan_name: text(row, 2)?,
        owner: Owner { org: OrgId(row.try_get(3)?), user: UserId(row.try_get(4)?) },
        trigger: text(row, 5)?,
        expression: text(row, 6)?,
        timezone: text_or_none(row, 7)?,
        misfire: json(row, 8)?,
        next_due: at_or_none(row, 9)?,
        last_due: at_or_none(row, 10)?,
        last_status: row.try_get::<Option<&str>, _>(11)?.map(runs::status).transpose()?,
    })
}

/// Makes the triggers due that listen to a topic. Earlier with each signal while they are not looked at, so that whoever looks sees that
/// another one came; never later than now. Gives up to where they have looked, the furthest; `None` when there are none. Their rows stay
/// locked until the signal is kept: signals of one topic that somebody listens to take turns.
pub(super) async fn hear(org: OrgId, topic: &str, now: Millis, session: &mut Session) -> Result<Option<Millis>, Fail> {
    let rule = listening_to(topic);
    let query = session
        .query(
            "select id, last_due from schedules where org_id = $1 and expression = $2 and starts_with(expression, 'on ') \
                order by id for no key update",
        )
        .bind(org.0)
        .bind(kept(&rule));
    let rows = query.fetch_all(&mut **session).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<uuid::Uuid>, _>>()?;
    let looked = rows.iter().map(|row| at_or_none(row, 1)).collect::<Result<Vec<_>, _>>()?;
    let sql = "update schedules set next_due = least($3, coalesce(next_due - interval '1 millisecond', $3)) \
               where org_id = $1 and id = any($2)";
    session.query(sql).bind(org.0).bind(ids).bind(Stamp(now)).execute(&mut **session).await?;
    Ok(Some(looked.into_iter().flatten().max().unwrap_or(0)))
}

/// Puts a plan's schedules in place of those it had. One whose trigger, expression and zone are the same goes on where it was:
/// a slot that is due while its plan is saved is neither lost nor filled twice. The rows are locked first, so that a slot that
/// is being filled moves its schedule before it is read here.
pub(super) async fn replace(plan: PlanId, new: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    let org = new.owner.org.0;
    let query =
        session.query("select from schedules where org_id = $1 and plan_id = $2 order by id for no key update").bind(org).bind(plan.0);
    query.execute(&mut **session).await?;
    let rows = session.query(OF_PLAN).bind(org).bind(plan.0).fetch_all(&mut **session).await?;
    let before = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    let same = |schedule: &ScheduleRecord| {
        before
            .iter()
            .find(|old| (&old.trigger, &old.expression, &old.timezone) == (&schedule.trigger, &schedule.expression, &schedule.timezone))
    };
    let staying: Vec<_> = new.schedules.iter().filter_map(&same).map(|old| old.id.0).collect();
    let query = session.query("delete from schedules where org_id = $1 and plan_id = $2 and id <> all($3)");
    query.bind(org).bind(plan.0).bind(staying).execute(&mut **session).await?;
    for schedule in &new.schedules {
        match same(schedule) {
            Some(old) => keep(old, schedule, new, session).await?,
            None => insert(plan, schedule, new, session).await?,
        }
    }
    // Out of force for a while: its triggers go on where they were.
    if new.schedules.is_empty() {
        return Ok(());
    }
    trigger_states::forget_others(plan, new.owner.org, session).await
}

/// The same row, with its slots: whoever is about to fill one waits for this transaction and goes on, and would find nothing if the
/// row was written anew.
async fn keep(old: &ScheduleRecord, schedule: &ScheduleRecord, new: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "update schedules set user_id = $3, plan_name = $4, misfire = $5::text::json, next_due = $6 \
             where org_id = $1 and id = $2",
        )
        .bind(new.owner.org.0)
        .bind(old.id.0)
        .bind(new.owner.user.0)
        .bind(kept(&new.name))
        .bind(text_of(&schedule.misfire)?)
        .bind(goes_on(old, schedule).map(Stamp))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn insert(plan: PlanId, schedule: &ScheduleRecord, new: &NewPlan, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "insert into schedules (org_id, id, plan_id, user_id, plan_name, trigger_id, expression, timezone, misfire, next_due, \
             last_due) values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json, $10, $11)",
        )
        .bind(new.owner.org.0)
        .bind(schedule.id.0)
        .bind(plan.0)
        .bind(new.owner.user.0)
        .bind(kept(&new.name))
        .bind(kept(&schedule.trigger))
        .bind(kept(&schedule.expression))
        .bind(schedule.timezone.as_deref().map(kept))
        .bind(text_of(&schedule.misfire)?)
        .bind(schedule.next_due.map(Stamp))
        .bind(schedule.last_due.map(Stamp))
        .execute(&mut **session)
        .await?;
    Ok(())
}
