//! Changes of state inside a transaction: what runs leave behind at their end, and what a step writes at once.

use mainspring_model::clock::Millis;
use mainspring_model::state::{MAX_KEYS_OF_ORGANIZATION, MAX_KEYS_OF_PLAN, MAX_SEEN, StateChange, StateScope, StateWrite, added};
use mainspring_model::store::StateSpace;
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use super::commit::{Entry, Group};
use super::error::Fail;
use super::ledger::Effects;
use super::state::{count_items, count_values, get, hexes, new_places, plan_of};
use super::{bytes, text_of};
use crate::shared::state::in_order;

/// Applies what the runs of the group leave behind that succeeded.
pub(super) async fn leave(group: &Group<'_>, entries: &[Entry], effects: &Effects, connection: &mut SqliteConnection) -> Result<(), Fail> {
    for (batch, write) in in_order(group.accepted(entries, effects).filter_map(|(_, draft)| draft.state.as_ref())) {
        let plan = (write.scope == StateScope::Plan).then_some(batch.plan);
        if let Some(plan) = plan {
            // Deleted while its run went on: it leaves nothing behind.
            let query = sqlx::query("select 1 from plans where id = ?1").bind(bytes(plan.0));
            if query.fetch_optional(&mut *connection).await?.is_none() {
                continue;
            }
        }
        apply(StateSpace { org: batch.org, plan }, write, group.now, connection).await?;
    }
    Ok(())
}

/// What came of it, as [`StateDone::Applied`](mainspring_model::store::StateDone) says.
pub(super) async fn apply(space: StateSpace, write: &StateWrite, now: Millis, connection: &mut SqliteConnection) -> Result<Value, Fail> {
    match &write.change {
        StateChange::Set(value) => {
            put(space, &write.key, value, write.until, now, connection).await?;
            Ok(Value::Null)
        }
        StateChange::Add(by) => {
            let before = get(space, &write.key, now, connection).await?;
            let sum = Value::Number(added(before.as_ref().map(|record| &record.value), by));
            let until = write.until.or(before.and_then(|record| record.expires_at));
            put(space, &write.key, &sum, until, now, connection).await?;
            Ok(json!({ "value": sum }))
        }
        StateChange::Delete => {
            let existed = get(space, &write.key, now, connection).await?.is_some();
            remove(space, &write.key, connection).await?;
            Ok(json!({ "existed": existed }))
        }
        StateChange::Remember(digests) => {
            let items = hexes(&digests.0);
            let query = sqlx::query(UNSEEN).bind(bytes(space.org.0)).bind(plan_of(space)).bind(write.key.as_str());
            let rows = query.bind(items.as_str()).bind(now).fetch_all(&mut *connection).await?;
            let new = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
            let query = sqlx::query(REMEMBER).bind(bytes(space.org.0)).bind(plan_of(space)).bind(write.key.as_str());
            query.bind(items).bind(write.until).execute(connection).await?;
            Ok(new_places(&new))
        }
    }
}

const UNSEEN: &str = "select j.key from json_each(?4) as j where not exists (select 1 from state_seen as s where s.org_id = ?1 \
     and s.plan_id = ?2 and s.set_name = ?3 and s.item = unhex(j.value) and (s.expires_at is null or s.expires_at > ?5)) order by j.key";
/// What is remembered longer stays so.
const REMEMBER: &str = "insert into state_seen (org_id, plan_id, set_name, item, expires_at) \
     select ?1, ?2, ?3, unhex(value), ?5 from json_each(?4) where true on conflict (org_id, plan_id, set_name, item) \
     do update set expires_at = max(state_seen.expires_at, excluded.expires_at)";

/// Nothing, or the bound that a change at once would pass.
pub(super) async fn has_room(
    space: StateSpace,
    write: &StateWrite,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<Option<u64>, Fail> {
    match &write.change {
        StateChange::Remember(digests) => {
            let count = count_items(space, &write.key, MAX_SEEN, connection).await?;
            Ok((count + digests.0.len() as u64 > MAX_SEEN).then_some(MAX_SEEN))
        }
        StateChange::Delete => Ok(None),
        StateChange::Set(_) | StateChange::Add(_) => {
            let most = if space.plan.is_some() { MAX_KEYS_OF_PLAN } else { MAX_KEYS_OF_ORGANIZATION };
            let is_there = get(space, &write.key, now, connection).await?.is_some();
            Ok((!is_there && count_values(space, most, connection).await? >= most).then_some(most))
        }
    }
}

pub(super) async fn put(
    space: StateSpace,
    key: &str,
    value: &Value,
    until: Option<Millis>,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    sqlx::query(
        "insert into state_values (org_id, plan_id, name, value, updated_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6) \
         on conflict (org_id, plan_id, name) do update set value = excluded.value, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at",
    )
    .bind(bytes(space.org.0))
    .bind(plan_of(space))
    .bind(key.to_owned())
    .bind(text_of(value)?)
    .bind(now)
    .bind(until)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn remove(space: StateSpace, key: &str, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let query = sqlx::query("delete from state_values where org_id = ?1 and plan_id = ?2 and name = ?3").bind(bytes(space.org.0));
    query.bind(plan_of(space)).bind(key.to_owned()).execute(connection).await?;
    Ok(())
}
