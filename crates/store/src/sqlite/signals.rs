//! Signals and waits: kept, matched by topic and key, and the runs that they wake.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId, SignalId};
use mainspring_model::store::{EventFilter, NewSignal, Page, Paging, SignalRecord, SignalStore, StoreError, Told, WaitKey, WaitRecord};
use mainspring_model::wait::event_topic;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, schedules, text_of, uuid};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::signals::keys_of;

#[async_trait]
impl SignalStore for SqliteStore {
    async fn put_wait(&self, wait: &WaitRecord) -> Result<(), StoreError> {
        let wait = wait.clone();
        self.write(async move |connection| put_wait(&wait, connection).await).await
    }

    async fn delete_waits(&self, org: OrgId, run: RunId, path: Option<&str>) -> Result<(), StoreError> {
        let path = path.map(str::to_owned);
        self.write(async move |connection| {
            let query = sqlx::query("delete from waits where org_id = ?1 and run_id = ?2 and (?3 is null or path = ?3)");
            query.bind(bytes(org.0)).bind(bytes(run.0)).bind(path.as_deref()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn list_waits(&self, org: OrgId, topics: &str, limit: u32) -> Result<Vec<WaitRecord>, StoreError> {
        let topics = topics.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).bind(bytes(org.0)).bind(topics.as_str()).bind(i64::from(limit)).fetch_all(connection).await?;
                rows.iter().map(wait).collect()
            })
        })
        .await
    }

    async fn wait_for(&self, org: OrgId, topic: &str) -> Result<Option<WaitRecord>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(BY_TOPIC).bind(bytes(org.0)).bind(topic.as_str()).fetch_optional(connection).await?;
                row.as_ref().map(wait).transpose()
            })
        })
        .await
    }

    async fn put_signal(&self, signal: &NewSignal) -> Result<Told, StoreError> {
        let (signal, now) = (signal.clone(), self.now_ms());
        let told = self.write(async move |connection| put_signal(&signal, now, connection).await).await?;
        if !told.woken.is_empty() {
            self.arrived.notify_one();
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
        let topic = topic.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SIGNALS).bind(bytes(org.0)).bind(topic.as_str()).bind(since);
                let rows = query.bind(after.map(|id| bytes(id.0))).bind(i64::from(limit)).fetch_all(connection).await?;
                rows.iter().map(signal).collect()
            })
        })
        .await
    }

    async fn count_signals(&self, org: OrgId, topic: &str, since: Millis, most: u32) -> Result<u32, StoreError> {
        let topic = topic.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(COUNT).bind(bytes(org.0)).bind(topic.as_str()).bind(since).bind(i64::from(most));
                Ok(query.fetch_one(connection).await?.try_get(0)?)
            })
        })
        .await
    }

    async fn signal(&self, org: OrgId, id: SignalId) -> Result<Option<SignalRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SIGNAL).bind(bytes(org.0)).bind(bytes(id.0));
                query.fetch_optional(connection).await?.as_ref().map(signal).transpose()
            })
        })
        .await
    }

    async fn list_events(&self, org: OrgId, filter: &EventFilter, paging: &Paging) -> Result<Page<SignalRecord>, StoreError> {
        let (filter, cursor, paging) = (filter.clone(), IdCursor::of(paging)?, paging.clone());
        self.read(move |connection| {
            Box::pin(async move {
                let topic = filter.event_type.as_deref().map(event_topic);
                let query = sqlx::query(if topic.is_some() { OF_TYPE } else { EVENTS }).bind(bytes(org.0)).bind(topic);
                let query = query.bind(filter.tool).bind(filter.search.map(|text| text.to_lowercase()));
                let query = query.bind(cursor.at).bind(bytes(cursor.id)).bind(cursor::limit(&paging));
                let rows = query.fetch_all(connection).await?;
                let found = rows.iter().map(|row| {
                    let record = signal(row)?;
                    Ok((IdCursor { at: record.received_at, id: record.id.0, seq: 0 }, record))
                });
                Ok(cursor::page(found.collect::<Result<_, Fail>>()?, &paging))
            })
        })
        .await
    }

    async fn prune_signals(&self, before: Millis, batch: u32) -> Result<u64, StoreError> {
        // Looked for by a reader: there may be a million waits, and the writer has others to serve. A run that has ended stays so.
        let (signals, waits) = self
            .read(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query_scalar(OLD_SIGNALS).bind(before).bind(i64::from(batch));
                    let signals: Vec<i64> = query.fetch_all(&mut *connection).await?;
                    let query = sqlx::query_as(STALE_WAITS).bind(i64::from(batch));
                    let waits: Vec<(Vec<u8>, Vec<u8>, String)> = query.fetch_all(connection).await?;
                    Ok((signals, waits))
                })
            })
            .await?;
        if signals.is_empty() && waits.is_empty() {
            return Ok(0);
        }
        self.write(async move |connection| {
            let mut gone = 0;
            for no in &signals {
                gone += sqlx::query("delete from signals where no = ?1").bind(no).execute(&mut *connection).await?.rows_affected();
            }
            for (org, run, path) in &waits {
                let query = sqlx::query("delete from waits where org_id = ?1 and run_id = ?2 and path = ?3");
                gone += query.bind(org).bind(run).bind(path).execute(&mut *connection).await?.rows_affected();
            }
            Ok(gone)
        })
        .await
    }
}

/// The columns that [`wait`] reads, in its order.
macro_rules! waits_where {
    ($chosen:literal) => {
        concat!(
            "select w.org_id, w.run_id, w.path, w.topic, w.key_pointer, w.key_value, w.detail, w.created_at from waits as w \
             join runs as r on r.id = w.run_id where r.finished_at is null and w.org_id = ?1 and ",
            $chosen
        )
    };
}

const LIST: &str = waits_where!(
    "w.topic >= ?2 and w.topic < ?2 || char(1114111) and not exists \
     (select 1 from signals as s where s.org_id = ?1 and s.topic = w.topic and s.sole = 1) \
     order by w.created_at desc, w.run_id desc, w.path limit ?3"
);
const BY_TOPIC: &str = waits_where!("w.topic = ?2 order by w.created_at desc limit 1");

/// The columns that [`signal`] reads, in its order.
const SIGNALS: &str = "select id, topic, data, received_at from signals where org_id = ?1 and topic = ?2 and received_at >= ?3 \
     and (?4 is null or (received_at, id) > (select s.received_at, s.id from signals as s where s.org_id = ?1 and s.id = ?4)) \
     order by received_at, id limit ?5";

const COUNT: &str = "select count(*) from (select 1 from signals where org_id = ?1 and topic = ?2 and received_at >= ?3 limit ?4)";

const SIGNAL: &str = "select id, topic, data, received_at from signals where org_id = ?1 and id = ?2";

/// An answer that its run has yet to see stays.
const OLD_SIGNALS: &str = "select no from signals as s where received_at < ?1 and ((sole = 0 and substr(topic, 1, 9) <> 'triggers:') or not exists \
     (select 1 from waits as w where w.org_id = s.org_id and w.topic = s.topic)) limit ?2";

const STALE_WAITS: &str = "select org_id, run_id, path from waits as w where not exists \
     (select 1 from runs as r where r.id = w.run_id and r.finished_at is null) limit ?1";

/// Events, newest first; [`signal`] reads them.
macro_rules! events_where {
    ($chosen:literal) => {
        concat!(
            "select id, topic, data, received_at from signals where org_id = ?1 and ",
            $chosen,
            " and (?3 is null or data ->> '$.tool' = ?3) and (?4 is null or instr(lower(substr(topic, 7) || ' ' || \
             coalesce(data ->> '$.file_path', '') || ' ' || coalesce(data ->> '$.operation', '')), ?4) > 0) \
             and (received_at, id) < (?5, ?6) order by received_at desc, id desc limit ?7"
        )
    };
}

const EVENTS: &str = events_where!("?2 is null and topic >= 'event:' and topic < 'event;'");
const OF_TYPE: &str = events_where!("topic = ?2");

/// Each pointer of a topic once, by steps through the index: there may be a million waits, and few pointers.
const POINTERS: &str = "with recursive pointers (name) as (select min(key_pointer) from waits where org_id = ?1 and topic = ?2 union all \
     select (select min(w.key_pointer) from waits as w where w.org_id = ?1 and w.topic = ?2 and w.key_pointer > pointers.name) \
     from pointers where pointers.name is not null) select name from pointers where name is not null";

const WAKE: &str = "update runs set due_at = case status when 'waiting' then min(coalesce(due_at, ?1), ?1) else due_at end, \
     signalled = case status when 'running' then 1 else signalled end where status in ('waiting', 'running') and id in \
     (select w.run_id from waits as w where w.org_id = ?2 and w.topic = ?3 and w.key_pointer = ?4 and w.key_value = ?5) returning id";

async fn put_wait(wait: &WaitRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let (pointer, value) = wait.key.as_ref().map_or(("", ""), |key| (key.pointer.as_str(), key.value.as_str()));
    sqlx::query(
        "insert or replace into waits (org_id, run_id, path, topic, key_pointer, key_value, detail, created_at) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(bytes(wait.org.0))
    .bind(bytes(wait.run.0))
    .bind(wait.path.as_str())
    .bind(wait.topic.as_str())
    .bind(pointer)
    .bind(value)
    .bind(text_of(&wait.detail)?)
    .bind(wait.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_signal(new: &NewSignal, now: Millis, connection: &mut SqliteConnection) -> Result<Told, Fail> {
    let made = sqlx::query(
        "insert into signals (org_id, id, topic, sole, data, received_at) values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
    )
    .bind(bytes(new.org.0))
    .bind(bytes(new.id.0))
    .bind(new.topic.as_str())
    .bind(new.sole)
    .bind(text_of(&new.data)?)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        let row = sqlx::query(
            "select id, topic, data, received_at from signals where org_id = ?1 and (id = ?2 or (?4 = 1 and sole = 1 and topic = ?3)) \
             order by id = ?2 desc limit 1",
        )
        .bind(bytes(new.org.0))
        .bind(bytes(new.id.0))
        .bind(new.topic.as_str())
        .bind(new.sole)
        .fetch_one(connection)
        .await?;
        return Ok(Told { signal: signal(&row)?, new: false, heard: false, woken: Vec::new() });
    }
    // An answer is nobody's to listen to.
    let listeners = if new.sole { None } else { schedules::hear(new.org, &new.topic, now, &mut *connection).await? };
    let (heard, now) = match listeners {
        Some(looked) => (true, behind(new, now.max(looked), connection).await?),
        None => (false, now),
    };
    let pointers = sqlx::query(POINTERS).bind(bytes(new.org.0)).bind(new.topic.as_str()).fetch_all(&mut *connection).await?;
    let pointers = pointers.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    let mut woken = Vec::new();
    for (pointer, value) in keys_of(&new.data, pointers) {
        let query = sqlx::query(WAKE).bind(now).bind(bytes(new.org.0)).bind(new.topic.as_str());
        for row in query.bind(pointer).bind(value).fetch_all(&mut *connection).await? {
            woken.push(RunId(uuid(&row, 0)?));
        }
    }
    let signal = SignalRecord { id: new.id, topic: new.topic.clone(), data: new.data.clone(), received_at: now };
    Ok(Told { signal, new: true, heard, woken })
}

/// Puts a new signal behind all others of its topic, also when the clock went back; its moment.
async fn behind(new: &NewSignal, now: Millis, connection: &mut SqliteConnection) -> Result<Millis, Fail> {
    let sql = "update signals set received_at = max(?3, (select max(o.received_at) from signals as o where o.org_id = ?1 \
               and o.topic = signals.topic)) where org_id = ?1 and id = ?2 returning received_at";
    let row = sqlx::query(sql).bind(bytes(new.org.0)).bind(bytes(new.id.0)).bind(now).fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

fn wait(row: &SqliteRow) -> Result<WaitRecord, Fail> {
    let pointer: String = row.try_get(4)?;
    let value = row.try_get(5)?;
    Ok(WaitRecord {
        org: OrgId(uuid(row, 0)?),
        run: RunId(uuid(row, 1)?),
        path: row.try_get(2)?,
        topic: row.try_get(3)?,
        key: (!pointer.is_empty()).then_some(WaitKey { pointer, value }),
        detail: json(row.try_get(6)?)?,
        created_at: row.try_get(7)?,
    })
}

fn signal(row: &SqliteRow) -> Result<SignalRecord, Fail> {
    Ok(SignalRecord { id: SignalId(uuid(row, 0)?), topic: row.try_get(1)?, data: json(row.try_get(2)?)?, received_at: row.try_get(3)? })
}
