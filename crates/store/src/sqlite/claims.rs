//! Holding runs: claims by age, giving back what a dead process held, and requests to cancel.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Claimed, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::places::{self, Limits, Met};
use super::runs::{header, header_columns, status, with_owner};
use super::{bytes, hex_list, id_of, number_list, uuid};
use crate::shared::flow::refusal;
use crate::shared::places::LOOKS;

/// The columns that [`claimed`] reads, in its order.
macro_rules! select_claimed {
    ($rest:literal) => {
        concat!(
            "select ",
            header_columns!(),
            ", r.no, r.cancel_by is not null, r.crashes, r.crashes_alone, r.started_at is not null, r.pause_asked, \
             r.flow_state, r.flow_policy, r.flow_by",
            with_owner!(),
            $rest
        )
    };
}

/// Queued runs whatever the clock says, for their times are places in a line ([`crate::shared::turns`]); waiting ones when they
/// are due; of both the oldest, in turn, so that many of one kind do not hold up the other.
pub(super) const DUE: &str = select_claimed!(
    "where r.no in (select no from (select no, due_at, row_number() over (order by due_at, no) as place from (select no, due_at \
     from runs where status = 'queued' and due_at is not null order by due_at limit ?2) union all \
     select no, due_at, row_number() over (order by due_at, no) as place from (select no, due_at from runs \
     where status = 'waiting' and due_at <= ?1 order by due_at limit ?2) order by place, due_at, no limit ?2)) \
     and (select generation from store_state where only_row = 1) = ?3 order by r.due_at, r.no"
);

const CHOSEN: &str = select_claimed!("where r.no in (select value from json_each(?1)) order by r.created_at, r.no");

/// What a claim took.
pub(super) struct Taken {
    pub(super) runs: Vec<Claimed>,
    /// Nothing that it met had a place, and there is more to look at.
    pub(super) look_again: bool,
}

/// Takes up to `max` runs for this generation, oldest due first; none when another process has begun a generation. Runs of organizations
/// whose runs at work are limited (`each`: what the operator lets every one have) are taken only where there is a place.
pub(super) async fn claim(epoch: i64, now: Millis, max: u32, each: Option<u32>, connection: &mut SqliteConnection) -> Result<Taken, Fail> {
    for _ in 0..LOOKS {
        let rows = sqlx::query(DUE).bind(now).bind(i64::from(max)).bind(epoch).fetch_all(&mut *connection).await?;
        let limits = if rows.is_empty() { Limits::none() } else { Limits::read(each, &mut *connection).await? };
        let (mut numbers, mut runs, mut met) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()), Met::new());
        for row in &rows {
            let run = claimed(row, epoch)?;
            let no = row.try_get(14)?;
            match limits.of(run.header.owner.org) {
                Some(limit) => met.entry(run.header.owner.org).or_insert_with(|| (limit, Vec::new())).1.push(no),
                None => {
                    numbers.push(no);
                    runs.push(run);
                }
            }
        }
        let mut set_aside = 0;
        if !met.is_empty() {
            let found = places::share_all(met, (max as usize).saturating_sub(numbers.len()), &mut *connection).await?;
            set_aside = found.aside;
            let rows = sqlx::query(CHOSEN).bind(number_list(found.begin.iter().copied())).fetch_all(&mut *connection).await?;
            for row in &rows {
                runs.push(claimed(row, epoch)?);
            }
            numbers.extend(found.begin);
        }
        if !numbers.is_empty() {
            sqlx::query(
                "update runs set status = 'running', epoch = ?1, due_at = null, signalled = 0, set_aside = 0, \
                 started_at = coalesce(started_at, ?2) where no in (select value from json_each(?3))",
            )
            .bind(epoch)
            .bind(now)
            .bind(number_list(numbers))
            .execute(&mut *connection)
            .await?;
        }
        if !runs.is_empty() || set_aside == 0 {
            return Ok(Taken { runs, look_again: false });
        }
    }
    Ok(Taken { runs: Vec::new(), look_again: true })
}

fn claimed(row: &SqliteRow, epoch: i64) -> Result<Claimed, Fail> {
    Ok(Claimed {
        header: header(row)?,
        epoch,
        cancel_requested: row.try_get(15)?,
        crashes: row.try_get(16)?,
        crashes_alone: row.try_get(17)?,
        begun: row.try_get(18)?,
        pause_requested: row.try_get(19)?,
        refused: refusal(row.try_get(20)?, row.try_get(21)?, row.try_get::<Option<&[u8]>, _>(22)?.map(id_of).transpose()?)?,
    })
}

pub(super) async fn next_wake(connection: &mut SqliteConnection) -> Result<Option<Millis>, Fail> {
    let row = sqlx::query("select min(due_at) from runs where status = 'waiting' and due_at is not null").fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Queues what older generations hold. Epoch 0 in the row: whoever held it is late from here on, whatever process it is.
pub(super) async fn recover(
    epoch: i64,
    now: Millis,
    in_flight: &[RunId],
    alone: Option<RunId>,
    connection: &mut SqliteConnection,
) -> Result<u64, Fail> {
    let done = sqlx::query(
        "update runs set status = 'queued', due_at = ?2, epoch = 0, \
         crashes = crashes + (id in (select unhex(value) from json_each(?3))), \
         crashes_alone = crashes_alone + coalesce(id = ?4, 0) \
         where status = 'running' and status <> 'success' and epoch < ?1",
    )
    .bind(epoch)
    .bind(now)
    .bind(hex_list(in_flight.iter().map(|run| run.0)))
    .bind(alone.map(|run| bytes(run.0)))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Whether there was a wait to cut short.
pub(super) async fn wake(run: RunId, now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let done = sqlx::query("update runs set due_at = min(coalesce(due_at, ?2), ?2) where id = ?1 and status = 'waiting'")
        .bind(bytes(run.0))
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The first who asks is remembered. A run that waits is due now; one that is held learns it at its next wait at the latest.
pub(super) async fn request_cancel(org: OrgId, run: RunId, by: &str, now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let row = sqlx::query(
        "select r.no, r.status from runs as r join organization_totals as o on o.no = r.org_no where r.id = ?1 and o.org_id = ?2",
    )
    .bind(bytes(run.0))
    .bind(bytes(org.0))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Err(StoreError::NotFound { what: format!("the run {run}") }.into()) };
    let (no, status): (i64, RunStatus) = (row.try_get(0)?, status(row.try_get(1)?)?);
    if status.is_terminal() {
        return Ok(false);
    }
    sqlx::query(
        "update runs set cancel_by = coalesce(cancel_by, ?2), signalled = case status when 'running' then 1 else signalled end, \
         due_at = case when status = 'waiting' then min(coalesce(due_at, ?3), ?3) \
         when status = 'paused' or (status = 'queued' and (flow_state in ('held', 'burst') or set_aside = 1)) then ?3 else due_at end, \
         set_aside = 0, flow_state = case when flow_state in ('held', 'burst') then 'refused' else flow_state end, \
         status = case status when 'paused' then 'queued' else status end where no = ?1",
    )
    .bind(no)
    .bind(by)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(true)
}

pub(super) async fn cancel_requests(epoch: i64, connection: &mut SqliteConnection) -> Result<Vec<(RunId, String)>, Fail> {
    let rows = sqlx::query("select id, cancel_by from runs where cancel_by is not null and status = 'running' and epoch = ?1 order by no")
        .bind(epoch)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((RunId(uuid(row, 0)?), row.try_get(1)?))).collect()
}
