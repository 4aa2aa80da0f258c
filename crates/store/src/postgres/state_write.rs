//! Changes of state inside a transaction: what runs leave behind at their end, and what a step writes at once.

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::state::{MAX_KEYS_OF_ORGANIZATION, MAX_KEYS_OF_PLAN, MAX_SEEN, StateChange, StateScope, StateWrite, added};
use mainspring_model::store::{StateSpace, StoreError};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};

use super::commit::{Entry, Group};
use super::error::Fail;
use super::ledger::Effects;
use super::state::{count_items, count_values, get, items_of, new_places, plan_of};
use super::values::{Stamp, kept};
use crate::shared::group::accepted;
use crate::shared::json::{json as parse, text_of};
use crate::shared::state::in_order;

/// Applies what the runs of the group leave behind that succeeded.
pub(super) async fn leave(
    org: OrgId,
    group: &Group<'_>,
    entries: &[Entry],
    effects: &Effects,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let writes = accepted(entries, group.drafts, &effects.verdicts).filter_map(|(_, _, draft)| draft.state.as_ref());
    for (batch, write) in in_order(writes) {
        let plan = (write.scope == StateScope::Plan).then_some(batch.plan);
        if let Some(plan) = plan {
            // Deleted while its run went on: it leaves nothing behind.
            let query = sqlx::query("select from plans where org_id = $1 and id = $2").persistent(group.prepared).bind(org.0).bind(plan.0);
            if query.fetch_optional(&mut *connection).await?.is_none() {
                continue;
            }
        }
        apply(StateSpace { org, plan }, write, group.now, connection).await?;
    }
    Ok(())
}

/// What came of it, as [`StateDone::Applied`](mainspring_model::store::StateDone) says.
pub(super) async fn apply(space: StateSpace, write: &StateWrite, now: Millis, connection: &mut PgConnection) -> Result<Value, Fail> {
    match &write.change {
        StateChange::Set(value) => {
            put(space, &write.key, value, write.until, now, connection).await?;
            Ok(Value::Null)
        }
        StateChange::Add(by) => {
            let before = locked(space, &write.key, now, connection).await?;
            let sum = Value::Number(added(before.as_ref().map(|(value, _)| value), by));
            let until = write.until.or(before.and_then(|(_, until)| until));
            put(space, &write.key, &sum, until, now, connection).await?;
            Ok(json!({ "value": sum }))
        }
        StateChange::Delete => {
            let existed = get(space, &write.key, now, connection).await?.is_some();
            remove(space, &write.key, connection).await?;
            Ok(json!({ "existed": existed }))
        }
        StateChange::Remember(digests) => {
            let query = sqlx::query(UNSEEN).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(&write.key));
            let rows = query.bind(items_of(&digests.0)).bind(Stamp(now)).fetch_all(&mut *connection).await?;
            let new = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
            let query = sqlx::query(REMEMBER).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(&write.key));
            query.bind(items_of(&digests.0)).bind(write.until.map(Stamp)).execute(connection).await?;
            Ok(new_places(&new))
        }
    }
}

const UNSEEN: &str = "select a.place - 1 from unnest($4::bytea[]) with ordinality as a (item, place) where not exists \
     (select from state_seen as s where s.org_id = $1 and s.plan_id = $2 and s.set_name = $3 and s.item = a.item \
     and (s.expires_at is null or s.expires_at > $5)) order by a.place";
/// What is remembered longer stays so; in the order of the items, so that two who remember the same do not wait for one another.
const REMEMBER: &str = "insert into state_seen as s (org_id, plan_id, set_name, item, expires_at) \
     select distinct on (a.item) $1, $2, $3, a.item, $5::timestamptz from unnest($4::bytea[]) as a (item) order by a.item \
     on conflict (org_id, plan_id, set_name, item) do update set expires_at = \
     case when s.expires_at is null or excluded.expires_at is null then null else greatest(s.expires_at, excluded.expires_at) end";

/// One after the other: of two that ask at once which items are new, only one may hear that an item is.
pub(super) async fn lock_set(space: StateSpace, write: &StateWrite, connection: &mut PgConnection) -> Result<(), Fail> {
    if !matches!(write.change, StateChange::Remember(_)) {
        return Ok(());
    }
    let name = format!("state {} {} {}", space.org, plan_of(space), write.key);
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .persistent(false)
        .bind(kept(&name).into_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Nothing, or the bound that a change at once would pass.
pub(super) async fn has_room(
    space: StateSpace,
    write: &StateWrite,
    now: Millis,
    connection: &mut PgConnection,
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

/// What stands under the key, and until when; its row is locked, and made where there is none, so that nobody else adds meanwhile.
async fn locked(space: StateSpace, key: &str, now: Millis, connection: &mut PgConnection) -> Result<Option<(Value, Option<Millis>)>, Fail> {
    for _ in 0..8 {
        let made = "insert into state_values (org_id, plan_id, name, value, updated_at, expires_at) \
                    values ($1, $2, $3, 'null', $4, to_timestamp(0)) on conflict do nothing";
        let query = sqlx::query(made).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(key));
        query.bind(Stamp(now)).execute(&mut *connection).await?;
        let found = "select value::text, expires_at from state_values where org_id = $1 and plan_id = $2 and name = $3 for update";
        let query = sqlx::query(found).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(key));
        let Some(row) = query.fetch_optional(&mut *connection).await? else { continue };
        let until = row.try_get::<Option<Stamp>, _>(1)?.map(|stamp| stamp.0);
        return if until.is_some_and(|until| until <= now) { Ok(None) } else { Ok(Some((parse(row.try_get(0)?)?, until))) };
    }
    Err(StoreError::Failed(format!("the state \"{key}\" was deleted by others again and again")).into())
}

pub(super) async fn put(
    space: StateSpace,
    key: &str,
    value: &Value,
    until: Option<Millis>,
    now: Millis,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    sqlx::query(
        "insert into state_values (org_id, plan_id, name, value, updated_at, expires_at) values ($1, $2, $3, $4::text::json, $5, $6) \
         on conflict (org_id, plan_id, name) do update set value = excluded.value, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at",
    )
    .persistent(false)
    .bind(space.org.0)
    .bind(plan_of(space))
    .bind(kept(key))
    .bind(text_of(value)?)
    .bind(Stamp(now))
    .bind(until.map(Stamp))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn remove(space: StateSpace, key: &str, connection: &mut PgConnection) -> Result<(), Fail> {
    let sql = "delete from state_values where org_id = $1 and plan_id = $2 and name = $3";
    sqlx::query(sql).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(key)).execute(connection).await?;
    Ok(())
}
