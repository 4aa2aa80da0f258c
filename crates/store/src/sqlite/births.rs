//! New runs: their rows, the numbers of their organization and plan, and which run there is already in a new one's place.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, PlanId, RunId, ScheduleId};
use mainspring_model::run::RunStatus;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::ledger::Numbers;
use super::values::{Bound, Rows, take};
use super::{bursts, bytes, hex_list, uuid};
use crate::shared::draft::Birth;
use crate::shared::group;
use crate::shared::texts::short;
use crate::shared::turns::Turns;

type Newborn<'a> = group::Newborn<'a, Numbers>;

static INSERT: Rows = Rows::new(
    "insert into runs (id, org_no, plan_no, status, epoch, due_at, created_at, started_at, finished_at, user_id, plan_version, \
     parent_id, parent_path, slot_schedule, slot_due, idempotency_key, seed, plan_name, environment, trigger_data, org_data, inputs, ending) values ",
    23,
    " on conflict do nothing returning no, id",
);

/// Inserts what is not there yet and gives the numbers of the rows it made.
pub(super) async fn insert(
    newborns: &[Newborn<'_>],
    now: Millis,
    turns: &Turns,
    connection: &mut SqliteConnection,
) -> Result<HashMap<RunId, i64>, Fail> {
    let mut made = HashMap::with_capacity(newborns.len());
    let mut left = newborns;
    while !left.is_empty() {
        let (some, rest) = left.split_at(take(left.len()));
        let mut bound = Bound::default();
        for newborn in some {
            bind(newborn, now, turns, &mut bound);
        }
        let mut rows = sqlx::query_with(INSERT.sql(some.len()), bound.0).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            made.insert(RunId(uuid(&row, 1)?), row.try_get(0)?);
        }
        left = rest;
    }
    Ok(made)
}

/// What only runs under a limit or with a priority have in their rows. One that is queued under a limit is held back.
pub(super) async fn hold_back(no: i64, birth: &Birth, queued: bool, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    if let Some(burst) = birth.burst.as_ref().filter(|_| queued) {
        bursts::arrive(birth.org, no, burst, birth.trigger.len(), now, connection).await?;
    }
    if birth.flow.is_none() && birth.priority == Priority::Normal {
        return Ok(());
    }
    let flow = birth.flow.as_ref();
    sqlx::query(
        "update runs set priority = ?2, flow_key = ?3, flow_limit = ?4, flow_policy = ?5, \
         flow_state = coalesce(?6, flow_state), \
         due_at = case ?6 when 'held' then null else due_at end where no = ?1",
    )
    .bind(no)
    .bind(i64::from(birth.priority.rank()))
    .bind(flow.map(|flow| flow.key.as_str()))
    .bind(flow.map(|flow| i64::from(flow.limit)))
    .bind(flow.map(|flow| flow.policy.as_str()))
    .bind(flow.map(|_| if queued { "held" } else { "live" }))
    .execute(connection)
    .await?;
    Ok(())
}

fn bind(newborn: &Newborn<'_>, now: Millis, turns: &Turns, bound: &mut Bound) {
    let Newborn { run, birth, known, stand } = newborn;
    let queued = stand.status == RunStatus::Queued;
    bound.add(bytes(run.0)).add(known.place.org_no).add(known.place.plan_no).add(stand.status.as_str()).add(known.epoch);
    bound.add(if queued { Some(turns.next(birth.org, birth.priority, now)) } else { stand.until }).add(birth.created_at);
    bound.add((!queued).then_some(now)).add(stand.status.is_terminal().then_some(now));
    bound.add(bytes(birth.user.0)).add(i64::from(birth.plan_version));
    bound.add(birth.parent.as_ref().map(|(parent, _)| bytes(parent.0))).add(birth.parent.as_ref().map(|(_, path)| path.clone()));
    bound.add(birth.slot.map(|(slot, _)| bytes(slot.schedule.0))).add(birth.slot.map(|(slot, _)| slot.due_at));
    bound
        .add(birth.key.as_deref().map(|key| short(key).into_owned()))
        .add(birth.seed.to_vec())
        .add(birth.plan_name.clone())
        .add(birth.environment.clone());
    bound.add(birth.trigger.clone()).add(birth.org_data.clone()).add(birth.inputs.clone()).add(stand.ending.clone());
}

/// Which run has the key, the slot or the id of one that could not be inserted.
pub(super) async fn in_place_of(run: RunId, birth: &Birth, org_no: i64, connection: &mut SqliteConnection) -> Result<RunId, Fail> {
    let row = sqlx::query(
        "select id, 0 as rank from runs where org_no = ?1 and idempotency_key = ?2 \
         union all select id, 1 as rank from runs where slot_schedule = ?3 and slot_due = ?4 \
         union all select id, 2 as rank from runs where id = ?5 order by rank limit 1",
    )
    .bind(org_no)
    .bind(birth.key.as_deref().map(short))
    .bind(birth.slot.map(|(slot, _)| bytes(slot.schedule.0)))
    .bind(birth.slot.map(|(slot, _)| slot.due_at))
    .bind(bytes(run.0))
    .fetch_one(connection)
    .await?;
    Ok(RunId(uuid(&row, 0)?))
}

/// The schedules among `asked` that exist: a slot of one that was removed meanwhile is not filled.
pub(super) async fn living_schedules(
    asked: impl Iterator<Item = ScheduleId>,
    connection: &mut SqliteConnection,
) -> Result<HashSet<ScheduleId>, Fail> {
    let asked = hex_list(asked.map(|id| id.0));
    if asked == "[]" {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query("select id from schedules where id in (select unhex(value) from json_each(?1))")
        .bind(asked)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(ScheduleId(uuid(row, 0)?))).collect()
}

static MOVE_ON: Rows = Rows::new(
    "update schedules set last_due = v.column2, next_due = v.column3 from (values ",
    3,
    ") as v where schedules.id = v.column1 and (schedules.last_due is null or schedules.last_due <= v.column2)",
);

/// Moves the schedules on whose slots were filled. Several slots of one schedule in one batch: the latest counts.
pub(super) async fn move_schedules(filled: impl Iterator<Item = &Birth>, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let mut latest: HashMap<ScheduleId, (Millis, Option<Millis>)> = HashMap::new();
    for (slot, next_due) in filled.filter_map(|birth| birth.slot) {
        let entry = latest.entry(slot.schedule).or_insert((slot.due_at, next_due));
        if slot.due_at >= entry.0 {
            *entry = (slot.due_at, next_due);
        }
    }
    let moves: Vec<_> = latest.into_iter().collect();
    let mut left = moves.as_slice();
    while !left.is_empty() {
        let (some, rest) = left.split_at(take(left.len()));
        let mut bound = Bound::default();
        for (schedule, (last_due, next_due)) in some {
            bound.add(bytes(schedule.0)).add(*last_due).add(*next_due);
        }
        sqlx::query_with(MOVE_ON.sql(some.len()), bound.0).execute(&mut *connection).await?;
        left = rest;
    }
    Ok(())
}

/// The number of an organization, given out on its first run.
pub(super) async fn number_of_org(org: OrgId, connection: &mut SqliteConnection) -> Result<i64, Fail> {
    let row = sqlx::query(
        "insert into organization_totals (org_id) values (?1) on conflict (org_id) do update set org_id = excluded.org_id returning no",
    )
    .bind(bytes(org.0))
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

/// The number of a plan, given out on its first run.
pub(super) async fn number_of_plan(plan: PlanId, connection: &mut SqliteConnection) -> Result<i64, Fail> {
    let row = sqlx::query(
        "insert into plan_numbers (plan_id) values (?1) on conflict (plan_id) do update set plan_id = excluded.plan_id returning no",
    )
    .bind(bytes(plan.0))
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}
