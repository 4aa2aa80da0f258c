//! Bursts: firings that wait for others, and their closing.

use async_trait::async_trait;
use mainspring_model::burst::{Burst, Firing, Gather, Open};
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{BurstEnd, BurstStore, DueBursts, Ripe, StoreError};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::runs::{HEADER_BY_ID, header};
use super::{SqliteStore, bytes, hex_list, json, uuid};
use crate::shared::bursts::{READ, bytes_of, firing, gather_text, is_same, open, state_of, texts_of};

#[async_trait]
impl BurstStore for SqliteStore {
    async fn due_bursts(&self, limit: u32) -> Result<DueBursts, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| Box::pin(due(limit, now, connection))).await
    }

    async fn ripe_burst(&self, org: OrgId, key: &str) -> Result<Option<Ripe>, StoreError> {
        let (key, now) = (key.to_owned(), self.now_ms());
        self.read(move |connection| Box::pin(async move { ripe(org, &key, now, connection).await })).await
    }

    async fn close_burst(&self, end: &BurstEnd) -> Result<bool, StoreError> {
        let (end, now) = (end.clone(), self.now_ms());
        let closed = self.write(async move |connection| close(&end, now, connection).await).await?;
        if closed {
            self.arrived.notify_one();
        }
        Ok(closed)
    }
}

pub(super) const DUE: &str = "select org_id, burst_key, due_at from bursts order by due_at limit ?1";
const OPEN: &str = "select opened_at, due_at, firings, bytes, gather from bursts where org_id = ?1 and burst_key = ?2";
pub(super) const FIRINGS: &str = "select id, created_at, octet_length(trigger_data) from runs indexed by runs_burst \
     where org_no = (select no from organization_totals where org_id = ?1) and burst_key = ?2 and flow_state = 'burst' order by no limit ?3";
const PUT: &str = "insert into bursts (org_id, burst_key, gather, opened_at, due_at, firings, bytes) values (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
     on conflict (org_id, burst_key) do update set gather = excluded.gather, opened_at = excluded.opened_at, due_at = excluded.due_at, \
     firings = excluded.firings, bytes = excluded.bytes";
const BEGIN: &str = "update runs set flow_state = ?2, flow_key = ?3, flow_limit = ?4, flow_policy = ?5, \
     trigger_data = coalesce(?6, trigger_data), inputs = coalesce(?7, inputs), \
     due_at = case when ?8 then ?9 when status = 'paused' or ?2 = 'held' then null else ?9 end, \
     pause_asked = case when ?8 then 0 else pause_asked end, status = case when ?8 then 'queued' else status end where id = ?1";
/// One that was paused ends as well: it has nothing to do that a pause would keep it from.
const MERGE: &str = "update runs set flow_state = 'refused', flow_policy = ?2, flow_by = ?3, due_at = ?4, status = 'queued', pause_asked = 0 \
     where id in (select unhex(value) from json_each(?1))";

async fn due(limit: u32, now: Millis, connection: &mut SqliteConnection) -> Result<DueBursts, Fail> {
    let rows = sqlx::query(DUE).bind(i64::from(limit) + 1).fetch_all(connection).await?;
    let mut found = DueBursts::default();
    for row in &rows {
        let at: Millis = row.try_get(2)?;
        if at > now || found.due.len() == limit as usize {
            found.next = Some(at);
            break;
        }
        found.due.push((OrgId(uuid(row, 0)?), row.try_get(1)?));
    }
    Ok(found)
}

/// How the firings of a burst that is due are gathered.
async fn due_gather(org: OrgId, key: &str, now: Millis, connection: &mut SqliteConnection) -> Result<Option<Gather>, Fail> {
    let row = sqlx::query(OPEN).bind(bytes(org.0)).bind(key).fetch_optional(connection).await?;
    match row {
        Some(row) if row.try_get::<Millis, _>(1)? <= now => Ok(Some(json(row.try_get(4)?)?)),
        _ => Ok(None),
    }
}

async fn firings(org: OrgId, key: &str, connection: &mut SqliteConnection) -> Result<Vec<Firing>, Fail> {
    let rows = sqlx::query(FIRINGS).bind(bytes(org.0)).bind(key).bind(READ).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(firing(uuid(row, 0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

async fn ripe(org: OrgId, key: &str, now: Millis, connection: &mut SqliteConnection) -> Result<Option<Ripe>, Fail> {
    let Some(gather) = due_gather(org, key, now, connection).await? else { return Ok(None) };
    let firings = firings(org, key, connection).await?;
    let Some(closing) = gather.close(&firings) else {
        return Ok(Some(Ripe { gather, begins: None, merged: Vec::new(), triggers: Vec::new() }));
    };
    let row = sqlx::query(HEADER_BY_ID).bind(bytes(closing.begins.0)).fetch_optional(&mut *connection).await?;
    let Some(begins) = row.map(|row| header(&row)).transpose()? else { return Ok(None) };
    let mut triggers = Vec::new();
    if let Gather::Batch { .. } = gather {
        triggers.push(begins.trigger.clone());
        for run in &closing.merged {
            let row =
                sqlx::query("select trigger_data from runs where id = ?1").bind(bytes(run.0)).fetch_optional(&mut *connection).await?;
            let Some(row) = row else { return Ok(None) };
            triggers.push(json(row.try_get(0)?)?);
        }
    }
    Ok(Some(Ripe { gather, begins: Some(begins), merged: closing.merged, triggers }))
}

async fn close(end: &BurstEnd, now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let Some(gather) = due_gather(end.org, &end.key, now, connection).await? else { return Ok(false) };
    let firings = firings(end.org, &end.key, connection).await?;
    let closing = gather.close(&firings);
    if !is_same(closing.as_ref(), end) {
        return Ok(false);
    }
    if let Some(begins) = end.begins {
        let ((state, policy), (trigger, inputs)) = (state_of(end), texts_of(end)?);
        sqlx::query(BEGIN)
            .bind(bytes(begins.0))
            .bind(state)
            .bind(end.flow.as_ref().map(|flow| flow.key.as_str()))
            .bind(end.flow.as_ref().map(|flow| i64::from(flow.limit)))
            .bind(policy)
            .bind(trigger)
            .bind(inputs)
            .bind(end.unfit)
            .bind(now)
            .execute(&mut *connection)
            .await?;
        sqlx::query(MERGE)
            .bind(hex_list(end.merged.iter().map(|run| run.0)))
            .bind(gather.by().as_str())
            .bind(bytes(begins.0))
            .bind(now)
            .execute(&mut *connection)
            .await?;
    }
    match closing.and_then(|closing| closing.left) {
        Some(left) => put(end.org, &end.key, gather, left, connection).await?,
        None => {
            let query = sqlx::query("delete from bursts where org_id = ?1 and burst_key = ?2");
            query.bind(bytes(end.org.0)).bind(end.key.as_str()).execute(connection).await?;
        }
    }
    Ok(true)
}

/// A firing's run is there: its burst has one more.
pub(super) async fn arrive(
    org: OrgId,
    no: i64,
    burst: &Burst,
    size: usize,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    let query = sqlx::query("update runs set burst_key = ?2, flow_state = 'burst', due_at = null where no = ?1");
    query.bind(no).bind(burst.key.as_str()).execute(&mut *connection).await?;
    let row = sqlx::query(OPEN).bind(bytes(org.0)).bind(burst.key.as_str()).fetch_optional(&mut *connection).await?;
    let before = match row {
        Some(row) => Some(open(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)?),
        None => None,
    };
    put(org, &burst.key, burst.gather, burst.gather.arrive(before, size as u64, now), connection).await
}

async fn put(org: OrgId, key: &str, gather: Gather, open: Open, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(PUT)
        .bind(bytes(org.0))
        .bind(key)
        .bind(gather_text(gather)?)
        .bind(open.opened_at)
        .bind(open.due_at)
        .bind(i64::from(open.firings))
        .bind(bytes_of(&open))
        .execute(connection)
        .await?;
    Ok(())
}
