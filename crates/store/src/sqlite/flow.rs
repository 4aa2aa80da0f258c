//! Runs that are held back: admissions by key, and pauses.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::flow::{LiveRun, Ruling, rule};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::rate::{Turn, TurnAsk};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{ADMITTED_AT_ONCE, Admitted, FlowStore, StoreError};
use mainspring_model::wait::triggers_topic;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::runs::status;
use super::turns;
use super::{SqliteStore, bytes, claims, hex_list, uuid};
use crate::shared::flow::{held, made_way};

#[async_trait]
impl FlowStore for SqliteStore {
    async fn admit(&self, org: OrgId, key: &str) -> Result<Admitted, StoreError> {
        let (key, now) = (key.to_owned(), self.now_ms());
        let (admitted, due) = self.write(async move |connection| admit(org, &key, now, connection).await).await?;
        if due {
            self.arrived.notify_one();
        }
        Ok(admitted)
    }

    async fn held_keys(&self, after: Option<&(OrgId, String)>, limit: u32) -> Result<Vec<(OrgId, String)>, StoreError> {
        let after = after.cloned();
        self.read(move |connection| {
            Box::pin(async move {
                let (org, key) = after.map_or((None, String::new()), |(org, key)| (Some(bytes(org.0)), key));
                let query = sqlx::query(HELD_KEYS).bind(org).bind(key).bind(i64::from(limit));
                let rows = query.fetch_all(connection).await?;
                rows.iter().map(|row| Ok((OrgId(uuid(row, 0)?), row.try_get(1)?))).collect()
            })
        })
        .await
    }

    async fn request_pause(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        self.write(async move |connection| request_pause(org, run, connection).await).await
    }

    async fn resume(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        let now = self.now_ms();
        let resumed = self.write(async move |connection| resume(org, run, now, connection).await).await?;
        if resumed {
            self.arrived.notify_one();
        }
        Ok(resumed)
    }

    async fn pause_requests(&self) -> Result<Vec<RunId>, StoreError> {
        let epoch = self.epoch;
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select id from runs where pause_asked = 1 and status = 'running' and epoch = ?1 order by no");
                let rows = query.bind(epoch).fetch_all(connection).await?;
                rows.iter().map(|row| Ok(RunId(uuid(row, 0)?))).collect()
            })
        })
        .await
    }

    async fn take_turn(&self, ask: &TurnAsk) -> Result<Turn, StoreError> {
        let (ask, clock) = (ask.clone(), self.clock.clone());
        self.write(async move |connection| turns::take(&ask, clock.now(), connection).await).await
    }

    async fn forget_turns(&self, org: OrgId, run: RunId) -> Result<(), StoreError> {
        self.write(async move |connection| turns::forget(org, run, connection).await).await
    }

    async fn prune_turns(&self, batch: u32) -> Result<u64, StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| turns::prune(batch, now, connection).await).await
    }
}

/// Each key once, by steps through the index: one may have a hundred thousand runs.
pub(super) const HELD_KEYS: &str = "with recursive keys (org_no, flow_key) as (\
     select * from (select org_no, flow_key from runs indexed by runs_flow_held where flow_state = 'held' and finished_at is null \
     and (org_no, flow_key) > (coalesce((select no from organization_totals where org_id = ?1), 0), ?2) order by org_no, flow_key limit 1) \
     union all select (select r.org_no from runs as r indexed by runs_flow_held where r.flow_state = 'held' and r.finished_at is null \
     and (r.org_no, r.flow_key) > (keys.org_no, keys.flow_key) order by r.org_no, r.flow_key limit 1), \
     (select r.flow_key from runs as r indexed by runs_flow_held where r.flow_state = 'held' and r.finished_at is null \
     and (r.org_no, r.flow_key) > (keys.org_no, keys.flow_key) order by r.org_no, r.flow_key limit 1) \
     from keys where keys.org_no is not null limit ?3) \
     select o.org_id, keys.flow_key from keys join organization_totals as o on o.no = keys.org_no order by keys.org_no, keys.flow_key";

pub(super) const LIVE: &str = "select id, cancel_by is not null from runs indexed by runs_flow where org_no = (select no from organization_totals where org_id = ?1) \
     and flow_key = ?2 and flow_state = 'live' and finished_at is null order by created_at, no";

pub(super) const HELD: &str = "select id, flow_limit, flow_policy from runs \
     where org_no = (select no from organization_totals where org_id = ?1) and flow_key = ?2 and flow_state = 'held' \
     and finished_at is null and status = 'queued' order by priority desc, no limit ?3";

/// What was decided, and whether something is due by it.
async fn admit(org: OrgId, key: &str, now: Millis, connection: &mut SqliteConnection) -> Result<(Admitted, bool), Fail> {
    let rows = sqlx::query(HELD).bind(bytes(org.0)).bind(key).bind(i64::from(ADMITTED_AT_ONCE) + 1).fetch_all(&mut *connection).await?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in &rows {
        waiting.push(held(uuid(row, 0)?, row.try_get(1)?, row.try_get(2)?)?);
    }
    let more = waiting.len() > ADMITTED_AT_ONCE as usize;
    waiting.truncate(ADMITTED_AT_ONCE as usize);
    let rows = sqlx::query(LIVE).bind(bytes(org.0)).bind(key).fetch_all(&mut *connection).await?;
    let mut live = Vec::with_capacity(rows.len());
    for row in &rows {
        live.push(LiveRun { id: RunId(uuid(row, 0)?), cancelled: row.try_get(1)? });
    }
    let ruling = rule(&live, &waiting, more);
    carry_out(org, &ruling, now, connection).await?;
    let admitted = Admitted {
        cancelled: ruling.cancelled.iter().map(|(run, _)| *run).collect(),
        told: ruling.delivered.iter().map(|(_, live)| *live).collect(),
        // Else the same page would be asked for again and again.
        more: more && !ruling.is_empty(),
    };
    Ok((admitted, !ruling.is_empty()))
}

async fn carry_out(org: OrgId, ruling: &Ruling, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    if !ruling.begin.is_empty() {
        sqlx::query("update runs set flow_state = 'live', due_at = ?1 where id in (select unhex(value) from json_each(?2))")
            .bind(now)
            .bind(hex_list(ruling.begin.iter().map(|run| run.0)))
            .execute(&mut *connection)
            .await?;
    }
    for (held, live) in &ruling.delivered {
        sqlx::query(
            "insert into signals (org_id, id, topic, sole, data, received_at) select ?1, id, ?2, 0, trigger_data, ?3 from runs where id = ?4 \
             on conflict do nothing",
        )
        .bind(bytes(org.0))
        .bind(triggers_topic(*live))
        .bind(now)
        .bind(bytes(held.0))
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "update runs set due_at = case status when 'waiting' then min(coalesce(due_at, ?1), ?1) else due_at end, \
             signalled = case status when 'running' then 1 else signalled end where id = ?2 and status in ('waiting', 'running')",
        )
        .bind(now)
        .bind(bytes(live.0))
        .execute(&mut *connection)
        .await?;
    }
    for (held, by) in ruling.refused.iter().chain(&ruling.delivered) {
        sqlx::query("update runs set flow_state = 'refused', flow_by = ?1, due_at = ?2 where id = ?3")
            .bind(bytes(by.0))
            .bind(now)
            .bind(bytes(held.0))
            .execute(&mut *connection)
            .await?;
    }
    for (live, held) in &ruling.cancelled {
        claims::request_cancel(org, *live, &made_way(*held), now, &mut *connection).await?;
    }
    Ok(())
}

async fn request_pause(org: OrgId, run: RunId, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let Some((no, status, cancelled)) = standing(org, run, &mut *connection).await? else {
        return Err(StoreError::NotFound { what: format!("the run {run}") }.into());
    };
    if status.is_terminal() || cancelled {
        return Ok(false);
    }
    sqlx::query(
        "update runs set pause_asked = 1, set_aside = 0, due_at = case when status in ('queued', 'waiting') then null else due_at end, \
         status = case when status in ('queued', 'waiting') then 'paused' else status end where no = ?1",
    )
    .bind(no)
    .execute(connection)
    .await?;
    Ok(true)
}

async fn resume(org: OrgId, run: RunId, now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let Some((no, ..)) = standing(org, run, &mut *connection).await? else {
        return Err(StoreError::NotFound { what: format!("the run {run}") }.into());
    };
    let done = sqlx::query(
        "update runs set pause_asked = 0, due_at = case when status = 'paused' and coalesce(flow_state, '') not in ('held', 'burst') then ?2 else due_at end, \
         status = case status when 'paused' then 'queued' else status end where no = ?1 and pause_asked = 1 and finished_at is null",
    )
    .bind(no)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The run's row, its status, and whether its end was asked for.
async fn standing(org: OrgId, run: RunId, connection: &mut SqliteConnection) -> Result<Option<(i64, RunStatus, bool)>, Fail> {
    let row = sqlx::query(
        "select r.no, r.status, r.cancel_by is not null from runs as r join organization_totals as o on o.no = r.org_no \
         where r.id = ?1 and o.org_id = ?2",
    )
    .bind(bytes(run.0))
    .bind(bytes(org.0))
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((row.try_get(0)?, status(row.try_get(1)?)?, row.try_get(2)?))).transpose()
}
