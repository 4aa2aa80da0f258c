//! New runs: their rows, and which run there is already in a new one's place.

use std::collections::{HashMap, HashSet};

use mainspring_model::clock::Millis;
use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, RunId, ScheduleId};
use mainspring_model::run::RunStatus;
use sqlx::postgres::PgBindIterExt;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::error::Fail;
use super::values::{Stamp, kept, key};
use crate::sabotage::{Switch, is_on};
use crate::shared::draft::Birth;
use crate::shared::group;
use crate::shared::turns::Turns;

use super::ledger::Place;

type Newborn<'a> = group::Newborn<'a, Place>;

const INSERT: &str = "insert into runs (org_id, id, plan_id, user_id, status, epoch, plan_version, created_ms, due_at, started_at, \
     finished_at, slot_schedule, slot_due, parent_id, parent_path, idempotency_key, seed, plan_name, environment, trigger_kind, \
     trigger_data, org_data, inputs, ending, tag) \
     select $1, id, plan_id, user_id, status, epoch, plan_version, created_ms, due_at, started_at, finished_at, slot_schedule, slot_due, \
     parent_id, parent_path, idempotency_key, seed, plan_name, environment, trigger_kind, trigger_data::json, org_data::json, \
     inputs::json, ending::json, coalesce(tag, 'default') \
     from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[], \
     $10::timestamptz[], $11::timestamptz[], $12::uuid[], $13::timestamptz[], $14::uuid[], $15::text[], $16::text[], $17::bytea[], \
     $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[]) \
     as v (id, plan_id, user_id, status, epoch, plan_version, created_ms, due_at, started_at, finished_at, slot_schedule, slot_due, \
     parent_id, parent_path, idempotency_key, seed, plan_name, environment, trigger_kind, trigger_data, org_data, inputs, ending, tag) \
     on conflict do nothing returning id";

/// Inserts what is not there yet and says what it made. All are of one organization, and in the order of what they may meet each
/// other in, so that two writers never wait for one another in a circle.
pub(super) async fn insert(
    org: OrgId,
    newborns: &mut [Newborn<'_>],
    now: Millis,
    turns: &Turns,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<HashSet<RunId>, Fail> {
    newborns.sort_by(|a, b| order(a).cmp(&order(b)));
    let all = || newborns.iter();
    let held = |newborn: &&Newborn<'_>| newborn.stand.status != RunStatus::Queued;
    let rows = sqlx::query(INSERT)
        .persistent(prepared)
        .bind(org.0)
        .bind(all().map(|n| n.run.0).bind_iter())
        .bind(all().map(|n| n.birth.plan.0).bind_iter())
        .bind(all().map(|n| n.birth.user.0).bind_iter())
        .bind(all().map(|n| n.stand.status.as_str()).bind_iter())
        .bind(all().map(|n| n.known.epoch).bind_iter())
        .bind(all().map(|n| i64::from(n.birth.plan_version)).bind_iter())
        .bind(all().map(|n| n.birth.created_at).bind_iter())
        .bind(
            all()
                .map(|n| if held(&n) { n.stand.until.map(Stamp) } else { Some(Stamp(turns.next(org, n.birth.priority, now))) })
                .bind_iter(),
        )
        .bind(all().map(|n| held(&n).then_some(Stamp(now))).bind_iter())
        .bind(all().map(|n| n.stand.status.is_terminal().then_some(Stamp(now))).bind_iter())
        .bind(all().map(|n| n.birth.slot.map(|(slot, _)| slot.schedule.0)).bind_iter())
        .bind(all().map(|n| n.birth.slot.filter(|_| !is_on(Switch::NoSlotKey)).map(|(slot, _)| Stamp(slot.due_at))).bind_iter())
        .bind(all().map(|n| n.birth.parent.as_ref().map(|(parent, _)| parent.0)).bind_iter())
        .bind(all().map(|n| n.birth.parent.as_ref().map(|(_, path)| kept(path))).bind_iter())
        .bind(all().map(|n| n.birth.key.as_deref().map(key)).bind_iter())
        .bind(all().map(|n| n.birth.seed.to_vec()).bind_iter())
        .bind(all().map(|n| kept(&n.birth.plan_name)).bind_iter())
        .bind(all().map(|n| kept(&n.birth.environment)).bind_iter())
        .bind(all().map(|n| kept(&n.birth.trigger_kind)).bind_iter())
        .bind(all().map(|n| &*n.birth.trigger).bind_iter())
        .bind(all().map(|n| &*n.birth.org_data).bind_iter())
        .bind(all().map(|n| &*n.birth.inputs).bind_iter())
        .bind(all().map(|n| n.stand.ending.as_deref()).bind_iter())
        .bind(all().map(|n| n.stand.tag.as_deref()).bind_iter())
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| Ok(RunId(row.try_get(0)?))).collect::<Result<_, sqlx::Error>>()?)
}

const HOLD_BACK: &str = "update runs as r set priority = v.priority::smallint, flow_key = v.key, flow_limit = v.most, flow_policy = v.policy, \
     flow_state = v.state, due_at = case v.state when 'held' then null else r.due_at end \
     from unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::text[], $7::text[]) as v (id, priority, key, most, policy, state) \
     where r.org_id = $1 and r.id = v.id";

/// What only runs under a limit or with a priority have in their rows. Those that are queued under a limit are held back.
pub(super) async fn hold_back(
    org: OrgId,
    newborns: &[Newborn<'_>],
    made: &HashSet<RunId>,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let marked = |n: &&Newborn<'_>| (n.birth.flow.is_some() || n.birth.priority != Priority::Normal) && made.contains(&n.run);
    if newborns.iter().find(marked).is_none() {
        return Ok(());
    }
    let all = || newborns.iter().filter(marked);
    let state = |n: &Newborn<'_>| if n.stand.status == RunStatus::Queued { "held" } else { "live" };
    sqlx::query(HOLD_BACK)
        .persistent(prepared)
        .bind(org.0)
        .bind(all().map(|n| n.run.0).bind_iter())
        .bind(all().map(|n| i32::from(n.birth.priority.rank())).bind_iter())
        .bind(all().map(|n| n.birth.flow.as_ref().map(|flow| flow.key.as_str())).bind_iter())
        .bind(all().map(|n| n.birth.flow.as_ref().map(|flow| flow.limit.cast_signed())).bind_iter())
        .bind(all().map(|n| n.birth.flow.as_ref().map(|flow| flow.policy.as_str())).bind_iter())
        .bind(all().map(|n| n.birth.flow.as_ref().map(|_| state(n))).bind_iter())
        .execute(connection)
        .await?;
    Ok(())
}

fn order<'a>(newborn: &'a Newborn<'_>) -> (Option<&'a str>, Option<(Uuid, Millis)>, Uuid) {
    let slot = newborn.birth.slot.map(|(slot, _)| (slot.schedule.0, slot.due_at));
    (newborn.birth.key.as_deref(), slot, newborn.run.0)
}

/// Which run has the key, the slot or the id of one that could not be inserted.
pub(super) async fn in_place_of(
    org: OrgId,
    run: RunId,
    birth: &Birth,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<RunId, Fail> {
    let row = sqlx::query(
        "select id, 0 as rank from runs where org_id = $1 and idempotency_key = $2 \
         union all select id, 1 as rank from runs where org_id = $1 and slot_schedule = $3 and slot_due = $4 \
         union all select id, 2 as rank from runs where org_id = $1 and id = $5 order by rank limit 1",
    )
    .persistent(prepared)
    .bind(org.0)
    .bind(birth.key.as_deref().map(key))
    .bind(birth.slot.map(|(slot, _)| slot.schedule.0))
    .bind(birth.slot.map(|(slot, _)| Stamp(slot.due_at)))
    .bind(run.0)
    .fetch_one(connection)
    .await?;
    Ok(RunId(row.try_get(0)?))
}

/// The schedules among `asked` that exist: a slot of one that was removed meanwhile is not filled. They are locked in order, so
/// that two nodes that fill slots of the same ones take turns.
pub(super) async fn living_schedules(
    org: OrgId,
    asked: impl Iterator<Item = ScheduleId>,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<HashSet<ScheduleId>, Fail> {
    let asked: Vec<Uuid> = asked.map(|id| id.0).collect();
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query("select id from schedules where org_id = $1 and id = any($2) order by id for no key update")
        .persistent(prepared)
        .bind(org.0)
        .bind(asked)
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| Ok(ScheduleId(row.try_get(0)?))).collect::<Result<_, sqlx::Error>>()?)
}

/// Moves the schedules on whose slots were filled. Several slots of one schedule in one batch: the latest counts.
pub(super) async fn move_schedules(
    org: OrgId,
    filled: impl Iterator<Item = &Birth>,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let mut latest: HashMap<ScheduleId, (Millis, Option<Millis>)> = HashMap::new();
    for (slot, next_due) in filled.filter_map(|birth| birth.slot) {
        let entry = latest.entry(slot.schedule).or_insert((slot.due_at, next_due));
        if slot.due_at >= entry.0 {
            *entry = (slot.due_at, next_due);
        }
    }
    if latest.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update schedules as s set last_due = v.last_due, next_due = v.next_due \
         from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) as v (id, last_due, next_due) \
         where s.org_id = $1 and s.id = v.id and (s.last_due is null or s.last_due <= v.last_due)",
    )
    .persistent(prepared)
    .bind(org.0)
    .bind(latest.keys().map(|id| id.0).bind_iter())
    .bind(latest.values().map(|(last_due, _)| Stamp(*last_due)).bind_iter())
    .bind(latest.values().map(|(_, next_due)| next_due.map(Stamp)).bind_iter())
    .execute(connection)
    .await?;
    Ok(())
}
