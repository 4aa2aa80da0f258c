//! State: values and sets of plans and organizations, and results that steps use again.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::state::{Digest, StateWrite};
use mainspring_model::store::{MAX_CACHED, StateDone, StateRecord, StateSet, StateSpace, StateStore, StoreError};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::Fail;
use super::state_write::{apply, has_room};
use super::{SqliteStore, bytes, json as parse, number_list, text_of};

#[async_trait]
impl StateStore for SqliteStore {
    async fn state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError> {
        let (key, now) = (key.to_owned(), self.now_ms());
        self.read(move |connection| Box::pin(async move { get(space, &key, now, connection).await })).await
    }

    async fn list_state(&self, space: StateSpace, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<StateRecord>, StoreError> {
        let (prefix, after, now) = (prefix.to_owned(), after.unwrap_or_default().to_owned(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(LIST).bind(bytes(space.org.0)).bind(plan_of(space)).bind(prefix).bind(after);
                let rows = query.bind(now).bind(i64::from(limit.clamp(1, 200))).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn list_state_sets(&self, space: StateSpace) -> Result<Vec<StateSet>, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SETS).bind(bytes(space.org.0)).bind(plan_of(space)).bind(now);
                let rows = query.fetch_all(connection).await?;
                rows.iter().map(|row| Ok(StateSet { name: row.try_get(0)?, items: whole(row.try_get(1)?) })).collect()
            })
        })
        .await
    }

    async fn count_state(&self, space: StateSpace, most: u64) -> Result<u64, StoreError> {
        self.read(move |connection| Box::pin(async move { count_values(space, most, connection).await })).await
    }

    async fn count_seen(&self, space: StateSpace, set: &str, most: u64) -> Result<u64, StoreError> {
        let set = set.to_owned();
        self.read(move |connection| Box::pin(async move { count_items(space, &set, most, connection).await })).await
    }

    async fn seen(&self, space: StateSpace, set: &str, digests: &[Digest]) -> Result<Vec<Option<Millis>>, StoreError> {
        let (set, asked, count, now) = (set.to_owned(), hexes(digests), digests.len(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SEEN).bind(bytes(space.org.0)).bind(plan_of(space)).bind(set).bind(asked).bind(now);
                let mut found = vec![None; count];
                for row in query.fetch_all(connection).await? {
                    let place = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
                    if let Some(slot) = found.get_mut(place) {
                        *slot = Some(row.try_get::<Option<Millis>, _>(1)?.unwrap_or(Millis::MAX));
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    async fn apply_state(&self, space: StateSpace, run: RunId, id: Uuid, write: &StateWrite) -> Result<StateDone, StoreError> {
        let (write, now) = (write.clone(), self.now_ms());
        self.write(async move |connection| {
            let query = sqlx::query("select result from state_done where org_id = ?1 and id = ?2").bind(bytes(space.org.0)).bind(bytes(id));
            if let Some(row) = query.fetch_optional(&mut *connection).await? {
                return Ok(StateDone::Applied(parse(row.try_get(0)?)?));
            }
            if let Some(most) = has_room(space, &write, now, connection).await? {
                return Ok(StateDone::Full { most });
            }
            let result = apply(space, &write, now, connection).await?;
            sqlx::query("insert into state_done (org_id, id, run_id, result, created_at) values (?1, ?2, ?3, ?4, ?5)")
                .bind(bytes(space.org.0))
                .bind(bytes(id))
                .bind(bytes(run.0))
                .bind(text_of(&result)?)
                .bind(now)
                .execute(connection)
                .await?;
            Ok(StateDone::Applied(result))
        })
        .await
    }

    async fn put_state(&self, space: StateSpace, new: &StateRecord) -> Result<Option<StateRecord>, StoreError> {
        let (new, now) = (new.clone(), self.now_ms());
        self.write(async move |connection| {
            let before = get(space, &new.key, now, connection).await?;
            super::state_write::put(space, &new.key, &new.value, new.expires_at, now, connection).await?;
            Ok(before)
        })
        .await
    }

    async fn delete_state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError> {
        let (key, now) = (key.to_owned(), self.now_ms());
        self.write(async move |connection| {
            let before = get(space, &key, now, connection).await?;
            super::state_write::remove(space, &key, connection).await?;
            Ok(before)
        })
        .await
    }

    async fn delete_state_set(&self, space: StateSpace, set: &str) -> Result<u64, StoreError> {
        let set = set.to_owned();
        self.write(async move |connection| {
            let sql = "delete from state_seen where org_id = ?1 and plan_id = ?2 and set_name = ?3";
            let query = sqlx::query(sql).bind(bytes(space.org.0)).bind(plan_of(space)).bind(set.as_str());
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }

    async fn cached(&self, org: OrgId, id: &[u8; 32]) -> Result<Option<Value>, StoreError> {
        let (id, now) = (id.to_vec(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select result from step_results where org_id = ?1 and id = ?2 and expires_at > ?3";
                let row = sqlx::query(sql).bind(bytes(org.0)).bind(id).bind(now).fetch_optional(connection).await?;
                row.map(|row| parse(row.try_get(0)?)).transpose()
            })
        })
        .await
    }

    async fn put_cached(&self, org: OrgId, id: &[u8; 32], result: &Value, expires_at: Millis) -> Result<(), StoreError> {
        let (id, result) = (id.to_vec(), text_of(result).map_err(|fail| fail.stored(&self.place))?);
        self.write(async move |connection| {
            let most = i64::try_from(MAX_CACHED).unwrap_or(i64::MAX);
            let query = sqlx::query(PUT_CACHED).bind(bytes(org.0)).bind(id.clone()).bind(result.as_str()).bind(expires_at).bind(most);
            query.execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn prune_state(&self, batch: u32) -> Result<u64, StoreError> {
        let now = self.now_ms();
        // Looked for by a reader; what has expired, and a run that has ended, stay so unless somebody writes anew, which is looked at again.
        let found = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut found = Vec::new();
                    for sql in [OLD_VALUES, OLD_ITEMS, OLD_RESULTS] {
                        let query = sqlx::query_scalar(sql).bind(now).bind(i64::from(batch));
                        found.push(query.fetch_all(&mut *connection).await?);
                    }
                    found.push(sqlx::query_scalar(STALE_DONE).bind(i64::from(batch)).fetch_all(connection).await?);
                    Ok::<Vec<Vec<i64>>, Fail>(found)
                })
            })
            .await?;
        if found.iter().all(Vec::is_empty) {
            return Ok(0);
        }
        self.write(async move |connection| {
            let mut gone = 0;
            for (numbers, sql) in found.iter().zip(DELETE) {
                let query = sqlx::query(sql).bind(number_list(numbers.iter().copied())).bind(now);
                gone += query.execute(&mut *connection).await?.rows_affected();
            }
            Ok(gone)
        })
        .await
    }
}

const LIST: &str = "select name, value, updated_at, expires_at from state_values where org_id = ?1 and plan_id = ?2 and name >= ?3 \
     and name < ?3 || char(1114111) and name > ?4 and (expires_at is null or expires_at > ?5) order by name limit ?6";
const SETS: &str = "select set_name, count(*) from state_seen where org_id = ?1 and plan_id = ?2 \
     and (expires_at is null or expires_at > ?3) group by set_name order by set_name limit 1000";
const SEEN: &str = "select j.key, s.expires_at from json_each(?4) as j join state_seen as s on s.org_id = ?1 and s.plan_id = ?2 \
     and s.set_name = ?3 and s.item = unhex(j.value) where s.expires_at is null or s.expires_at > ?5";
/// One that is there is renewed also where there is no room for more.
const PUT_CACHED: &str = "insert into step_results (org_id, id, result, expires_at) select ?1, ?2, ?3, ?4 \
     where (select count(*) from (select 1 from step_results where org_id = ?1 limit ?5)) < ?5 \
     or exists (select 1 from step_results where org_id = ?1 and id = ?2) \
     on conflict (org_id, id) do update set result = excluded.result, expires_at = excluded.expires_at";
const OLD_VALUES: &str = "select no from state_values where expires_at <= ?1 limit ?2";
const OLD_ITEMS: &str = "select no from state_seen where expires_at <= ?1 limit ?2";
const OLD_RESULTS: &str = "select no from step_results where expires_at <= ?1 limit ?2";
const STALE_DONE: &str = "select no from state_done as d where not exists \
     (select 1 from runs as r where r.id = d.run_id and (r.finished_at is null or r.status = 'needs_decision')) limit ?1";
const DELETE: [&str; 4] = [
    "delete from state_values where no in (select value from json_each(?1)) and expires_at <= ?2",
    "delete from state_seen where no in (select value from json_each(?1)) and expires_at <= ?2",
    "delete from step_results where no in (select value from json_each(?1)) and expires_at <= ?2",
    "delete from state_done where no in (select value from json_each(?1)) and ?2 is not null",
];

/// The plan as it is bound: zero bytes for the organization's own state.
pub(super) fn plan_of(space: StateSpace) -> Vec<u8> {
    bytes(space.plan.map_or(Uuid::nil(), |plan| plan.0))
}

/// A JSON array of digests in hex, for `unhex(value)`.
pub(super) fn hexes(digests: &[Digest]) -> String {
    let digests: Vec<String> = digests.iter().map(|digest| format!("\"{:032x}\"", u128::from_be_bytes(*digest))).collect();
    format!("[{}]", digests.join(","))
}

pub(super) async fn get(space: StateSpace, key: &str, now: Millis, connection: &mut SqliteConnection) -> Result<Option<StateRecord>, Fail> {
    let sql = "select name, value, updated_at, expires_at from state_values where org_id = ?1 and plan_id = ?2 and name = ?3 \
               and (expires_at is null or expires_at > ?4)";
    let query = sqlx::query(sql).bind(bytes(space.org.0)).bind(plan_of(space)).bind(key.to_owned()).bind(now);
    query.fetch_optional(connection).await?.as_ref().map(record).transpose()
}

pub(super) async fn count_values(space: StateSpace, most: u64, connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let sql = "select count(*) from (select 1 from state_values where org_id = ?1 and plan_id = ?2 limit ?3)";
    let query = sqlx::query_scalar(sql).bind(bytes(space.org.0)).bind(plan_of(space)).bind(i64::try_from(most).unwrap_or(i64::MAX));
    Ok(whole(query.fetch_one(connection).await?))
}

pub(super) async fn count_items(space: StateSpace, set: &str, most: u64, connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let sql = "select count(*) from (select 1 from state_seen where org_id = ?1 and plan_id = ?2 and set_name = ?3 limit ?4)";
    let query = sqlx::query_scalar(sql).bind(bytes(space.org.0)).bind(plan_of(space)).bind(set.to_owned());
    Ok(whole(query.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_one(connection).await?))
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

fn record(row: &SqliteRow) -> Result<StateRecord, Fail> {
    Ok(StateRecord { key: row.try_get(0)?, value: parse(row.try_get(1)?)?, updated_at: row.try_get(2)?, expires_at: row.try_get(3)? })
}

/// What `Remember` gives: the places of the digests that were not seen.
pub(super) fn new_places(places: &[i64]) -> Value {
    json!({ "new": places })
}
