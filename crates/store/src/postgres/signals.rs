//! Signals and waits: kept, matched by topic and key, and the runs that they wake.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId, SignalId};
use mainspring_model::store::{EventFilter, NewSignal, Page, Paging, SignalRecord, SignalStore, StoreError, Told, WaitKey, WaitRecord};
use mainspring_model::wait::event_topic;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, given, kept};
use super::{PostgresStore, at, schedules};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::json::{json, text_of};
use crate::shared::signals::keys_of;

#[async_trait]
impl SignalStore for PostgresStore {
    async fn put_wait(&self, wait: &WaitRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(wait.org)).await?;
            put_wait(wait, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn delete_waits(&self, org: OrgId, run: RunId, path: Option<&str>) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let sql = "delete from waits where org_id = $1 and run_id = $2 and ($3::text is null or path = $3)";
            session.query(sql).bind(org.0).bind(run.0).bind(path).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn list_waits(&self, org: OrgId, topics: &str, limit: u32) -> Result<Vec<WaitRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(LIST).bind(org.0).bind(kept(topics)).bind(i64::from(limit)).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(wait).collect()
        };
        self.within(found).await
    }

    async fn wait_for(&self, org: OrgId, topic: &str) -> Result<Option<WaitRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let row = session.query(BY_TOPIC).bind(org.0).bind(kept(topic)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.as_ref().map(wait).transpose()
        };
        self.within(found).await
    }

    async fn put_signal(&self, signal: &NewSignal) -> Result<Told, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(signal.org)).await?;
            let told = put_signal(signal, &mut session).await?;
            session.commit().await?;
            Ok(told)
        };
        let told = self.within(done).await?;
        if !told.woken.is_empty() {
            self.notices.tell();
        }
        Ok(told)
    }

    async fn signals(
        &self,
        org: OrgId,
        topic: &str,
        since: Millis,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Vec<SignalRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(SIGNALS).bind(org.0).bind(kept(topic)).bind(Stamp(since));
            let rows = query.bind(after.map(|id| id.0)).bind(i64::from(limit)).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(signal).collect()
        };
        self.within(found).await
    }

    async fn count_signals(&self, org: OrgId, topic: &str, since: Millis, most: u32) -> Result<u32, StoreError> {
        let counted = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(COUNT).bind(org.0).bind(kept(topic)).bind(Stamp(since)).bind(i64::from(most));
            let count: i64 = query.fetch_one(&mut *session).await?.try_get(0)?;
            session.end().await?;
            Ok(u32::try_from(count).unwrap_or(most))
        };
        self.within(counted).await
    }

    async fn signal(&self, org: OrgId, id: SignalId) -> Result<Option<SignalRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let row = session.query(SIGNAL).bind(org.0).bind(id.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.as_ref().map(signal).transpose()
        };
        self.within(found).await
    }

    async fn list_events(&self, org: OrgId, filter: &EventFilter, paging: &Paging) -> Result<Page<SignalRecord>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let topic = filter.event_type.as_deref().map(event_topic);
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(if topic.is_some() { OF_TYPE } else { EVENTS }).bind(org.0).bind(topic.as_deref().map(kept));
            let query = query.bind(filter.tool.as_deref()).bind(filter.search.as_deref().map(str::to_lowercase));
            let query = query.bind(Stamp(cursor.at)).bind(cursor.id).bind(cursor::limit(paging));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            let found = rows.iter().map(|row| {
                let record = signal(row)?;
                Ok((IdCursor { at: record.received_at, id: record.id.0, seq: 0 }, record))
            });
            Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
        };
        self.within(found).await
    }

    async fn prune_signals(&self, before: Millis, batch: u32) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            let sql = "select distinct org_id from signals where received_at < $1 union select distinct org_id from waits";
            let rows = session.query(sql).bind(Stamp(before)).fetch_all(&mut *session).await?;
            let mut gone = 0;
            for row in rows {
                let org: Uuid = row.try_get(0)?;
                session.enter(Scope::Org(OrgId(org))).await?;
                let query = session.query(PRUNE_SIGNALS).bind(org).bind(Stamp(before)).bind(i64::from(batch));
                gone += query.execute(&mut *session).await?.rows_affected();
                let query = session.query(PRUNE_WAITS).bind(org).bind(i64::from(batch));
                gone += query.execute(&mut *session).await?.rows_affected();
            }
            session.commit().await?;
            Ok(gone)
        };
        self.within(done).await
    }
}

/// The columns that [`wait`] reads, in its order.
macro_rules! waits_where {
    ($chosen:literal) => {
        concat!(
            "select w.org_id, w.run_id, w.path, w.topic, w.key_pointer, w.key_value, w.detail::text, w.created_at from waits as w \
             join runs as r on r.org_id = w.org_id and r.id = w.run_id where r.finished_at is null and w.org_id = $1 and ",
            $chosen
        )
    };
}

const LIST: &str = waits_where!(
    "starts_with(w.topic, $2) and not exists \
     (select from signals as s where s.org_id = $1 and s.topic = w.topic and s.sole) \
     order by w.created_at desc, w.run_id desc, w.path limit $3"
);
const BY_TOPIC: &str = waits_where!("w.topic = $2 order by w.created_at desc limit 1");

/// The columns that [`signal`] reads, in its order.
const SIGNALS: &str = "select id, topic, data::text, received_at from signals where org_id = $1 and topic = $2 and received_at >= $3 \
     and ($4::uuid is null or (received_at, id) > (select s.received_at, s.id from signals as s where s.org_id = $1 and s.id = $4)) \
     order by received_at, id limit $5";

const COUNT: &str = "select count(*) from (select 1 from signals where org_id = $1 and topic = $2 and received_at >= $3 limit $4) as found";

const SIGNAL: &str = "select id, topic, data::text, received_at from signals where org_id = $1 and id = $2";

/// An answer that its run has yet to see stays.
const PRUNE_SIGNALS: &str = "delete from signals where org_id = $1 and id in (select s.id from signals as s \
     where s.org_id = $1 and s.received_at < $2 and ((not s.sole and not starts_with(s.topic, 'triggers:')) or not exists \
     (select from waits as w where w.org_id = $1 and w.topic = s.topic)) limit $3)";

const PRUNE_WAITS: &str = "delete from waits where org_id = $1 and (run_id, path) in (select w.run_id, w.path from waits as w \
     where w.org_id = $1 and not exists \
     (select from runs as r where r.org_id = $1 and r.id = w.run_id and r.finished_at is null) limit $2)";

/// Events, newest first; [`signal`] reads them.
macro_rules! events_where {
    ($chosen:literal) => {
        concat!(
            "select id, topic, data::text, received_at from signals where org_id = $1 and ",
            $chosen,
            " and ($3::text is null or data ->> 'tool' = $3) and ($4::text is null or position($4 in lower(substr(topic, 7) || ' ' || \
             coalesce(data ->> 'file_path', '') || ' ' || coalesce(data ->> 'operation', ''))) > 0) \
             and (received_at, id) < ($5, $6) order by received_at desc, id desc limit $7"
        )
    };
}

const EVENTS: &str = events_where!("$2::text is null and starts_with(topic, 'event:')");
const OF_TYPE: &str = events_where!("topic = $2");

/// Each pointer of a topic once, by steps through the index: there may be a million waits, and few pointers.
const POINTERS: &str = "with recursive pointers (name) as (select min(key_pointer) from waits where org_id = $1 and topic = $2 union all \
     select (select min(w.key_pointer) from waits as w where w.org_id = $1 and w.topic = $2 and w.key_pointer > pointers.name) \
     from pointers where pointers.name is not null) select name from pointers where name is not null";

/// In the order of the ids, so that two who wake the same runs do not wait for one another.
const WAKE: &str = "with chosen as materialized (select r.id from runs as r where r.org_id = $2 and r.status in ('waiting', 'running') \
     and r.id in (select w.run_id from waits as w where w.org_id = $2 and w.topic = $3 and w.key_pointer = $4 and w.key_value = $5) \
     order by r.id for no key update) \
     update runs set due_at = case status when 'waiting' then least(coalesce(due_at, $1), $1) else due_at end, \
     signalled = case status when 'running' then true else signalled end \
     where org_id = $2 and status in ('waiting', 'running') and id in (select id from chosen) returning id";

async fn put_wait(wait: &WaitRecord, session: &mut Session) -> Result<(), Fail> {
    let (pointer, value) = wait.key.as_ref().map_or(("", ""), |key| (key.pointer.as_str(), key.value.as_str()));
    session
        .query(
            "insert into waits (org_id, run_id, path, topic, key_pointer, key_value, detail, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7::text::json, $8) on conflict (org_id, run_id, path) do update set \
             topic = excluded.topic, key_pointer = excluded.key_pointer, key_value = excluded.key_value, detail = excluded.detail, \
             created_at = excluded.created_at",
        )
        .bind(wait.org.0)
        .bind(wait.run.0)
        .bind(&wait.path)
        .bind(kept(&wait.topic))
        .bind(kept(pointer))
        .bind(kept(value))
        .bind(text_of(&wait.detail)?)
        .bind(Stamp(wait.created_at))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn put_signal(new: &NewSignal, session: &mut Session) -> Result<Told, Fail> {
    let (org, now) = (new.org.0, session.now());
    let made = session
        .query(
            "insert into signals (org_id, id, topic, sole, data, received_at) values ($1, $2, $3, $4, $5::text::json, $6) \
             on conflict do nothing",
        )
        .bind(org)
        .bind(new.id.0)
        .bind(kept(&new.topic))
        .bind(new.sole)
        .bind(text_of(&new.data)?)
        .bind(Stamp(now))
        .execute(&mut **session)
        .await?;
    if made.rows_affected() == 0 {
        let row = session
            .query(
                "select id, topic, data::text, received_at from signals where org_id = $1 and (id = $2 or ($4 and sole and topic = $3)) \
                 order by id = $2 desc limit 1",
            )
            .bind(org)
            .bind(new.id.0)
            .bind(kept(&new.topic))
            .bind(new.sole)
            .fetch_one(&mut **session)
            .await?;
        return Ok(Told { signal: signal(&row)?, new: false, heard: false, woken: Vec::new() });
    }
    // An answer is nobody's to listen to.
    let listeners = if new.sole { None } else { schedules::hear(new.org, &new.topic, now, session).await? };
    let (heard, now) = match listeners {
        Some(looked) => (true, behind(new, now.max(looked), session).await?),
        None => (false, now),
    };
    let pointers = session.query(POINTERS).bind(org).bind(kept(&new.topic)).fetch_all(&mut **session).await?;
    let pointers = pointers.iter().map(|row| row.try_get(0).map(given)).collect::<Result<Vec<String>, _>>()?;
    let mut woken = Vec::new();
    for (pointer, value) in keys_of(&new.data, pointers) {
        let query = session.query(WAKE).bind(Stamp(now)).bind(org).bind(kept(&new.topic));
        for row in query.bind(kept(&pointer)).bind(kept(&value)).fetch_all(&mut **session).await? {
            woken.push(RunId(row.try_get(0)?));
        }
    }
    let signal = SignalRecord { id: new.id, topic: new.topic.clone(), data: new.data.clone(), received_at: now };
    Ok(Told { signal, new: true, heard, woken })
}

/// Puts a new signal behind all others of its topic, whatever the clock said when its transaction began; its moment.
async fn behind(new: &NewSignal, now: Millis, session: &mut Session) -> Result<Millis, Fail> {
    let sql = "update signals as s set received_at = greatest($3, (select max(o.received_at) from signals as o where o.org_id = $1 \
               and o.topic = s.topic)) where s.org_id = $1 and s.id = $2 returning received_at";
    let row = session.query(sql).bind(new.org.0).bind(new.id.0).bind(Stamp(now)).fetch_one(&mut **session).await?;
    at(&row, 0)
}

fn wait(row: &PgRow) -> Result<WaitRecord, Fail> {
    let pointer = given(row.try_get(4)?);
    let value = given(row.try_get(5)?);
    Ok(WaitRecord {
        org: OrgId(row.try_get(0)?),
        run: RunId(row.try_get(1)?),
        path: row.try_get(2)?,
        topic: given(row.try_get(3)?),
        key: (!pointer.is_empty()).then_some(WaitKey { pointer, value }),
        detail: json(row.try_get(6)?)?,
        created_at: at(row, 7)?,
    })
}

fn signal(row: &PgRow) -> Result<SignalRecord, Fail> {
    Ok(SignalRecord {
        id: SignalId(row.try_get(0)?),
        topic: given(row.try_get(1)?),
        data: json(row.try_get(2)?)?,
        received_at: at(row, 3)?,
    })
}
