//! Runs: the `RunStore`, and how a run's row is read.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus, RunSummary};
use mainspring_model::store::{Claimed, Committed, Page, Paging, RunFilter, RunStore, RunWrite, Standing, StoreError};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, claims, id_of, json, uuid};
use crate::shared::bursts::held_for;
use crate::shared::cursor::{self, Cursor};
use crate::shared::draft::Draft;
use crate::shared::places::held_by;

#[async_trait]
impl RunStore for SqliteStore {
    async fn now(&self) -> Result<Millis, StoreError> {
        Ok(self.now_ms())
    }

    fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The process holds `engine.lock` for as long as it lives: nobody takes its runs before that.
    fn trusts(&self, epoch: i64) -> bool {
        epoch == self.epoch
    }

    async fn trusted(&self, epoch: i64) -> bool {
        epoch == self.epoch
    }

    async fn commit(&self, write: RunWrite) -> Result<Committed, StoreError> {
        let draft = Draft::of(write)?;
        self.writer.commit(draft).await
    }

    async fn claim(&self, max: u32) -> Result<Vec<Claimed>, StoreError> {
        let (epoch, now) = (self.epoch, self.now_ms());
        if epoch == 0 {
            return Err(StoreError::Failed("only the process that holds engine.lock claims runs".to_owned()));
        }
        let each = self.places;
        let taken = self.write(async move |connection| claims::claim(epoch, now, max, each, connection).await).await?;
        if taken.look_again {
            self.arrived.notify_one();
        }
        Ok(taken.runs)
    }

    async fn next_wake(&self) -> Result<Option<Millis>, StoreError> {
        self.read(|connection| Box::pin(claims::next_wake(connection))).await
    }

    async fn work_arrived(&self) {
        self.arrived.notified().await;
    }

    async fn recover(&self, in_flight: &[RunId], alone: Option<RunId>) -> Result<u64, StoreError> {
        let (epoch, now, in_flight) = (self.epoch, self.now_ms(), in_flight.to_vec());
        let count = self.write(async move |connection| claims::recover(epoch, now, &in_flight, alone, connection).await).await?;
        if count > 0 {
            self.arrived.notify_one();
        }
        Ok(count)
    }

    async fn release(&self, run: RunId, epoch: i64) -> Result<(), StoreError> {
        let write = RunWrite { run, epoch, create: None, events: Arc::default(), standing: Standing::Queued };
        // Late means that there was nothing to give back.
        self.commit(write).await.map(|_| ())
    }

    async fn wake(&self, run: RunId) -> Result<(), StoreError> {
        let now = self.now_ms();
        if self.write(async move |connection| claims::wake(run, now, connection).await).await? {
            self.arrived.notify_one();
        }
        Ok(())
    }

    async fn request_cancel(&self, org: OrgId, run: RunId, by: &str) -> Result<bool, StoreError> {
        let (now, by) = (self.now_ms(), by.to_owned());
        let going = self.write(async move |connection| claims::request_cancel(org, run, &by, now, connection).await).await?;
        if going {
            self.arrived.notify_one();
        }
        Ok(going)
    }

    async fn cancel_requests(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        let epoch = self.epoch;
        self.read(move |connection| Box::pin(claims::cancel_requests(epoch, connection))).await
    }

    async fn header(&self, run: RunId) -> Result<Option<RunHeader>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(HEADER_BY_ID).bind(bytes(run.0)).fetch_optional(connection).await?;
                row.map(|row| header(&row)).transpose()
            })
        })
        .await
    }

    async fn history(&self, run: RunId) -> Result<Vec<Event>, StoreError> {
        self.read(move |connection| Box::pin(history(run, connection))).await
    }

    async fn ending(&self, run: RunId) -> Result<Option<Ending>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("select ending from runs where id = ?1").bind(bytes(run.0)).fetch_optional(connection).await?;
                let ending: Option<String> = row.map(|row| row.try_get(0)).transpose()?.flatten();
                ending.map(|text| json(&text)).transpose()
            })
        })
        .await
    }

    async fn get_run(&self, org: OrgId, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(SUMMARY_BY_ID).bind(bytes(org.0)).bind(bytes(run.0)).fetch_optional(connection).await?;
                row.map(|row| shown(&row)).transpose()
            })
        })
        .await
    }

    async fn list_runs(&self, org: OrgId, filter: &RunFilter, paging: &Paging) -> Result<Page<RunSummary>, StoreError> {
        let (cursor, filter, paging) = (Cursor::of(paging)?, filter.clone(), paging.clone());
        self.read(move |connection| Box::pin(async move { list(org, &filter, cursor, &paging, connection).await })).await
    }
}

async fn history(run: RunId, connection: &mut SqliteConnection) -> Result<Vec<Event>, Fail> {
    let mut rows = sqlx::query(
        "select j.seq, j.at, j.body from journal as j where j.run_no = (select no from runs where id = ?1) order by j.run_no, j.seq",
    )
    .bind(bytes(run.0))
    .fetch(connection);
    let mut events = Vec::new();
    while let Some(row) = rows.try_next().await? {
        events.push(Event { seq: row.try_get(0)?, at: row.try_get(1)?, body: json(row.try_get(2)?)? });
    }
    Ok(events)
}

/// The columns that [`header`] reads, in its order, and where they come from.
macro_rules! header_columns {
    () => {
        "r.id, o.org_id, r.user_id, p.plan_id, r.plan_version, r.plan_name, r.inputs, r.trigger_data, r.org_data, r.created_at, \
         r.seed, r.environment, r.parent_id, r.parent_path"
    };
}
macro_rules! with_owner {
    () => {
        " from runs as r join organization_totals as o on o.no = r.org_no join plan_numbers as p on p.no = r.plan_no "
    };
}
pub(super) use {header_columns, with_owner};

pub(super) const HEADER_BY_ID: &str = concat!("select ", header_columns!(), with_owner!(), "where r.id = ?1");

pub(super) fn header(row: &SqliteRow) -> Result<RunHeader, Fail> {
    let parent = match row.try_get::<Option<&[u8]>, _>(12)? {
        Some(id) => Some((RunId(id_of(id)?), row.try_get(13)?)),
        None => None,
    };
    Ok(RunHeader {
        id: RunId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        plan_id: PlanId(uuid(row, 3)?),
        plan_version: row.try_get(4)?,
        plan_name: row.try_get(5)?,
        inputs: json(row.try_get(6)?)?,
        trigger: json(row.try_get(7)?)?,
        org: json(row.try_get(8)?)?,
        created_at: row.try_get(9)?,
        seed: row.try_get::<&[u8], _>(10)?.try_into().map_err(|_| Fail::damaged("a seed"))?,
        environment: row.try_get(11)?,
        parent,
    })
}

/// The columns that [`summary`] reads, in its order. The one before the last two is a list's cursor, with the moment.
macro_rules! summary_columns {
    () => {
        "r.id, p.plan_id, r.plan_version, r.plan_name, r.status, r.trigger_data ->> '$.type', r.created_at, r.started_at, \
         r.finished_at, r.due_at, r.ending, r.no, \
         (select b.gather from bursts as b where r.flow_state = 'burst' and b.org_id = o.org_id and b.burst_key = r.burst_key), \
         (select b.due_at from bursts as b where r.flow_state = 'burst' and b.org_id = o.org_id and b.burst_key = r.burst_key), \
         coalesce(r.flow_state = 'held', 0), r.set_aside"
    };
}

const SUMMARY_BY_ID: &str = concat!("select ", summary_columns!(), with_owner!(), "where o.org_id = ?1 and r.id = ?2");

pub(super) fn summary(row: &SqliteRow) -> Result<RunSummary, Fail> {
    let status = status(row.try_get(4)?)?;
    let ending: Option<Ending> = row.try_get::<Option<&str>, _>(10)?.map(json).transpose()?;
    let (output, error) = match ending {
        Some(ending) => ((ending.output != Value::Null).then_some(ending.output), ending.error),
        None => (None, None),
    };
    Ok(RunSummary {
        id: RunId(uuid(row, 0)?),
        plan_id: PlanId(uuid(row, 1)?),
        plan_version: row.try_get(2)?,
        plan_name: row.try_get(3)?,
        status,
        trigger: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
        created_at: row.try_get(6)?,
        started_at: row.try_get(7)?,
        finished_at: row.try_get(8)?,
        wake_at: if status == RunStatus::Waiting { row.try_get(9)? } else { None },
        // The one process that uses this database serves everything.
        tag: None,
        held_for: None,
        held_by: None,
        output,
        error,
    })
}

/// With what it waits for, of a queued one.
fn shown(row: &SqliteRow) -> Result<RunSummary, Fail> {
    let run = summary(row)?;
    let held_by = held_by(run.status == RunStatus::Queued, row.try_get(14)?, row.try_get(15)?);
    Ok(RunSummary { held_for: held_for(row.try_get(12)?, row.try_get(13)?)?, held_by, ..run })
}

/// The index is named: the planner, which knows no figures, would read a whole organization for a rare status.
macro_rules! list_sql {
    ($index:literal, $chosen:literal) => {
        concat!(
            "select ",
            summary_columns!(),
            " from runs as r indexed by ",
            $index,
            " join organization_totals as o on o.no = r.org_no join plan_numbers as p on p.no = r.plan_no \
             where r.org_no = (select no from organization_totals where org_id = ?1) and ",
            $chosen,
            " and r.created_at >= ?4 and r.created_at < ?5 and (r.created_at, r.no) < (?6, ?7) \
             order by r.created_at desc, r.no desc limit ?8"
        )
    };
}

/// One text for each way to the rows.
pub(super) fn list_text(filter: &RunFilter) -> &'static str {
    match (filter.plan, filter.status) {
        (Some(_), _) => {
            list_sql!("runs_by_plan", "r.plan_no = (select no from plan_numbers where plan_id = ?2) and (?3 is null or r.status = ?3)")
        }
        (None, None | Some(RunStatus::Success)) => list_sql!("runs_by_org", "?2 is null and (?3 is null or r.status = ?3)"),
        (None, Some(_)) => list_sql!("runs_by_status", "?2 is null and r.status = ?3 and r.status <> 'success'"),
    }
}

/// Newest first by `created_at`, then by row. `since` is part of the span, `until` is not.
pub(super) async fn list(
    org: OrgId,
    filter: &RunFilter,
    cursor: Cursor,
    paging: &Paging,
    connection: &mut SqliteConnection,
) -> Result<Page<RunSummary>, Fail> {
    let mut rows = sqlx::query(list_text(filter))
        .bind(bytes(org.0))
        .bind(filter.plan.map(|plan| bytes(plan.0)))
        .bind(filter.status.map(RunStatus::as_str))
        .bind(filter.since.unwrap_or(i64::MIN))
        .bind(filter.until.unwrap_or(i64::MAX))
        .bind(cursor.at)
        .bind(cursor.no)
        .bind(cursor::limit(paging))
        .fetch(connection);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let cursor = Cursor { at: row.try_get(6)?, no: row.try_get(11)? };
        found.push((cursor, shown(&row)?));
    }
    Ok(cursor::page(found, paging))
}

pub(super) fn status(text: &str) -> Result<RunStatus, Fail> {
    RunStatus::parse(text).ok_or_else(|| Fail::damaged("a run's status"))
}
