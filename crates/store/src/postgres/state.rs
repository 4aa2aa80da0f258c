//! State: values and sets of plans and organizations, and results that steps use again.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::state::{Digest, StateWrite};
use mainspring_model::store::{MAX_CACHED, StateDone, StateRecord, StateSet, StateSpace, StateStore, StoreError};
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::state_write::{apply, has_room, lock_set, put, remove};
use super::values::{Stamp, given, kept};
use super::{PostgresStore, at};
use crate::shared::json::{json as parse, text_of};

#[async_trait]
impl StateStore for PostgresStore {
    async fn state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let now = session.now();
            let record = get(space, key, now, &mut session).await?;
            session.end().await?;
            Ok(record)
        };
        self.within(found).await
    }

    async fn list_state(&self, space: StateSpace, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<StateRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let query = session.query(LIST).bind(space.org.0).bind(plan_of(space)).bind(kept(prefix)).bind(kept(after.unwrap_or_default()));
            let query = query.bind(Stamp(session.now())).bind(i64::from(limit.clamp(1, 200)));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn list_state_sets(&self, space: StateSpace) -> Result<Vec<StateSet>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let query = session.query(SETS).bind(space.org.0).bind(plan_of(space)).bind(Stamp(session.now()));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(StateSet { name: given(row.try_get(0)?), items: whole(row.try_get(1)?) })).collect()
        };
        self.within(found).await
    }

    async fn count_state(&self, space: StateSpace, most: u64) -> Result<u64, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let count = count_values(space, most, &mut session).await?;
            session.end().await?;
            Ok(count)
        };
        self.within(found).await
    }

    async fn count_seen(&self, space: StateSpace, set: &str, most: u64) -> Result<u64, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let count = count_items(space, set, most, &mut session).await?;
            session.end().await?;
            Ok(count)
        };
        self.within(found).await
    }

    async fn seen(&self, space: StateSpace, set: &str, digests: &[Digest]) -> Result<Vec<Option<Millis>>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(space.org)).await?;
            let query = session.query(SEEN).bind(space.org.0).bind(plan_of(space)).bind(kept(set)).bind(items_of(digests));
            let rows = query.bind(Stamp(session.now())).fetch_all(&mut *session).await?;
            session.end().await?;
            let mut found = vec![None; digests.len()];
            for row in rows {
                let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or(usize::MAX);
                if let Some(slot) = found.get_mut(place) {
                    *slot = Some(row.try_get::<Option<Stamp>, _>(1)?.map_or(Millis::MAX, |stamp| stamp.0));
                }
            }
            Ok(found)
        };
        self.within(found).await
    }

    async fn apply_state(&self, space: StateSpace, run: RunId, id: Uuid, write: &StateWrite) -> Result<StateDone, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(space.org)).await?;
            let done = apply_once(space, run, id, write, &mut session).await?;
            session.commit().await?;
            Ok(done)
        };
        self.within(done).await
    }

    async fn put_state(&self, space: StateSpace, new: &StateRecord) -> Result<Option<StateRecord>, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(space.org)).await?;
            let now = session.now();
            let before = get(space, &new.key, now, &mut session).await?;
            put(space, &new.key, &new.value, new.expires_at, now, &mut session).await?;
            session.commit().await?;
            Ok(before)
        };
        self.within(done).await
    }

    async fn delete_state(&self, space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(space.org)).await?;
            let now = session.now();
            let before = get(space, key, now, &mut session).await?;
            remove(space, key, &mut session).await?;
            session.commit().await?;
            Ok(before)
        };
        self.within(done).await
    }

    async fn delete_state_set(&self, space: StateSpace, set: &str) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(space.org)).await?;
            let sql = "delete from state_seen where org_id = $1 and plan_id = $2 and set_name = $3";
            let query = session.query(sql).bind(space.org.0).bind(plan_of(space)).bind(kept(set));
            let gone = query.execute(&mut *session).await?.rows_affected();
            session.commit().await?;
            Ok(gone)
        };
        self.within(done).await
    }

    async fn cached(&self, org: OrgId, id: &[u8; 32]) -> Result<Option<Value>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select result::text from step_results where org_id = $1 and id = $2 and expires_at > $3";
            let row = session.query(sql).bind(org.0).bind(id.to_vec()).bind(Stamp(session.now())).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| Ok(parse(row.try_get(0)?)?)).transpose()
        };
        self.within(found).await
    }

    async fn put_cached(&self, org: OrgId, id: &[u8; 32], result: &Value, expires_at: Millis) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let most = i64::try_from(MAX_CACHED).unwrap_or(i64::MAX);
            let query = session.query(PUT_CACHED).bind(org.0).bind(id.to_vec()).bind(text_of(result)?);
            query.bind(Stamp(expires_at)).bind(most).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn prune_state(&self, batch: u32) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            let now = Stamp(session.now());
            let rows = session.query(ORGS).bind(now).fetch_all(&mut *session).await?;
            let mut gone = 0;
            for row in rows {
                let org: Uuid = row.try_get(0)?;
                session.enter(Scope::Org(OrgId(org))).await?;
                for sql in OLD {
                    let query = session.query(sql).bind(org).bind(i64::from(batch)).bind(now);
                    gone += query.execute(&mut *session).await?.rows_affected();
                }
            }
            session.commit().await?;
            Ok(gone)
        };
        self.within(done).await
    }
}

const LIST: &str = "select name, value::text, updated_at, expires_at from state_values where org_id = $1 and plan_id = $2 \
     and starts_with(name, $3) and name > $4 and (expires_at is null or expires_at > $5) order by name limit $6";
const SETS: &str = "select set_name, count(*) from state_seen where org_id = $1 and plan_id = $2 \
     and (expires_at is null or expires_at > $3) group by set_name order by set_name limit 1000";
const SEEN: &str = "select a.place, s.expires_at from unnest($4::bytea[]) with ordinality as a (item, place) join state_seen as s \
     on s.org_id = $1 and s.plan_id = $2 and s.set_name = $3 and s.item = a.item where s.expires_at is null or s.expires_at > $5";
/// One that is there is renewed also where there is no room for more.
const PUT_CACHED: &str = "insert into step_results (org_id, id, result, expires_at) select $1, $2, $3::text::json, $4 \
     where (select count(*) from (select from step_results where org_id = $1 limit $5) as counted) < $5 \
     or exists (select from step_results where org_id = $1 and id = $2) \
     on conflict (org_id, id) do update set result = excluded.result, expires_at = excluded.expires_at";
const ORGS: &str = "select org_id from state_values where expires_at <= $1 union select org_id from state_seen where expires_at <= $1 \
     union select org_id from step_results where expires_at <= $1 union select org_id from state_done order by org_id";
const OLD: [&str; 4] = [
    "delete from state_values where org_id = $1 and (plan_id, name) in (select plan_id, name from state_values \
     where org_id = $1 and expires_at <= $3 order by plan_id, name limit $2 for update skip locked)",
    "delete from state_seen where org_id = $1 and (plan_id, set_name, item) in (select plan_id, set_name, item from state_seen \
     where org_id = $1 and expires_at <= $3 order by plan_id, set_name, item limit $2 for update skip locked)",
    "delete from step_results where org_id = $1 and id in (select id from step_results \
     where org_id = $1 and expires_at <= $3 limit $2 for update skip locked)",
    "delete from state_done where org_id = $1 and $3::timestamptz is not null and id in (select d.id from state_done as d \
     where d.org_id = $1 and not exists (select from runs as r where r.org_id = $1 and r.id = d.run_id and (r.finished_at is null or r.status = 'needs_decision')) limit $2)",
];

async fn apply_once(space: StateSpace, run: RunId, id: Uuid, write: &StateWrite, session: &mut Session) -> Result<StateDone, Fail> {
    let (org, now) = (space.org.0, session.now());
    // Who is first makes the row, and whoever else asks waits for it.
    let made = session
        .query("insert into state_done (org_id, id, run_id, result, created_at) values ($1, $2, $3, 'null', $4) on conflict do nothing")
        .bind(org)
        .bind(id)
        .bind(run.0)
        .bind(Stamp(now))
        .execute(&mut **session)
        .await?;
    if made.rows_affected() == 0 {
        let query = session.query("select result::text from state_done where org_id = $1 and id = $2").bind(org).bind(id);
        let row = query.fetch_one(&mut **session).await?;
        return Ok(StateDone::Applied(parse(row.try_get(0)?)?));
    }
    lock_set(space, write, session).await?;
    if let Some(most) = has_room(space, write, now, session).await? {
        session.query("delete from state_done where org_id = $1 and id = $2").bind(org).bind(id).execute(&mut **session).await?;
        return Ok(StateDone::Full { most });
    }
    let result = apply(space, write, now, session).await?;
    let query = session.query("update state_done set result = $3::text::json where org_id = $1 and id = $2").bind(org).bind(id);
    query.bind(text_of(&result)?).execute(&mut **session).await?;
    Ok(StateDone::Applied(result))
}

/// The plan as it is bound: the nil id for the organization's own state.
pub(super) fn plan_of(space: StateSpace) -> Uuid {
    space.plan.map_or(Uuid::nil(), |plan| plan.0)
}

pub(super) fn items_of(digests: &[Digest]) -> Vec<Vec<u8>> {
    digests.iter().map(|digest| digest.to_vec()).collect()
}

pub(super) async fn get(space: StateSpace, key: &str, now: Millis, connection: &mut PgConnection) -> Result<Option<StateRecord>, Fail> {
    let sql = "select name, value::text, updated_at, expires_at from state_values where org_id = $1 and plan_id = $2 and name = $3 \
               and (expires_at is null or expires_at > $4)";
    let query = sqlx::query(sql).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(key)).bind(Stamp(now));
    query.fetch_optional(connection).await?.as_ref().map(record).transpose()
}

pub(super) async fn count_values(space: StateSpace, most: u64, connection: &mut PgConnection) -> Result<u64, Fail> {
    let sql = "select count(*) from (select from state_values where org_id = $1 and plan_id = $2 limit $3) as counted";
    let query = sqlx::query_scalar(sql).persistent(false).bind(space.org.0).bind(plan_of(space));
    Ok(whole(query.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_one(connection).await?))
}

pub(super) async fn count_items(space: StateSpace, set: &str, most: u64, connection: &mut PgConnection) -> Result<u64, Fail> {
    let sql = "select count(*) from (select from state_seen where org_id = $1 and plan_id = $2 and set_name = $3 limit $4) as counted";
    let query = sqlx::query_scalar(sql).persistent(false).bind(space.org.0).bind(plan_of(space)).bind(kept(set));
    Ok(whole(query.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_one(connection).await?))
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

fn record(row: &PgRow) -> Result<StateRecord, Fail> {
    Ok(StateRecord {
        key: given(row.try_get(0)?),
        value: parse(row.try_get(1)?)?,
        updated_at: at(row, 2)?,
        expires_at: row.try_get::<Option<Stamp>, _>(3)?.map(|stamp| stamp.0),
    })
}

/// What `Remember` gives: the places of the digests that were not seen.
pub(super) fn new_places(places: &[i64]) -> Value {
    json!({ "new": places })
}
