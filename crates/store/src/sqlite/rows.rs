//! The statements of a group commit after judgement: one per table, whatever the number of runs.

use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::run::RunStatus;
use sqlx::{Row, SqliteConnection};

use super::commit::{Entry, Group};
use super::error::Fail;
use super::hex_list;
use super::ledger::{Effects, Numbers};
use super::values::{Bound, Rows, take};
use crate::shared::judge::{Change, Known};

static INSERT_ROWS: Rows = Rows::new("insert into journal (run_no, seq, at, org_no, plan_no, provider, status, body) values ", 8, "");

/// Columns of `v`: no, status (null: stays), due_at, started_at, finished_at, ending, whether crashes are forgotten, now.
static UPDATE_RUNS: Rows = Rows::new(
    "update runs set status = case when v.column2 in ('paused', 'waiting') and pause_asked = 1 and cancel_by is null then 'paused' \
     when v.column2 = 'paused' then 'queued' else coalesce(v.column2, status) end, \
     due_at = case when v.column2 is null then due_at \
     when v.column2 in ('paused', 'waiting') and pause_asked = 1 and cancel_by is null then null when v.column2 = 'paused' then v.column8 \
     when v.column2 = 'waiting' and signalled = 1 then v.column8 else v.column3 end, \
     epoch = case when v.column2 in ('queued', 'paused') then 0 else epoch end, \
     signalled = case when v.column2 is null or v.column2 = 'running' then signalled else 0 end, \
     started_at = coalesce(started_at, v.column4), finished_at = v.column5, ending = v.column6, \
     crashes = case v.column7 when 1 then 0 else crashes end, crashes_alone = case v.column7 when 1 then 0 else crashes_alone end \
     from (values ",
    8,
    ") as v where runs.no = v.column1 returning due_at",
);

/// The journal rows of all accepted writes.
pub(super) async fn insert_rows(
    group: &Group<'_>,
    entries: &[Entry],
    effects: &Effects,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    let rows = || group.accepted(entries, effects).flat_map(|(known, draft)| draft.rows.iter().map(move |row| (known, row)));
    let mut left = rows().count();
    let mut rows = rows();
    while left > 0 {
        let size = take(left);
        let mut bound = Bound::with_room(size * 8);
        for (known, row) in rows.by_ref().take(size) {
            let (provider, status) = row.attempt.clone().unzip();
            bound.add(known.place.no).add(i64::from(row.seq)).add(row.at).add(known.place.org_no).add(known.place.plan_no);
            bound.add(provider).add(status).add(row.body.clone());
        }
        // Binding the next values while SQLite runs these was tried and gained nothing that could be measured.
        sqlx::query_with(INSERT_ROWS.sql(size), bound.0).execute(&mut *connection).await?;
        left -= size;
    }
    Ok(())
}

/// Notes which runs need which blobs; few do.
pub(super) async fn insert_blobs(
    group: &Group<'_>,
    entries: &[Entry],
    effects: &Effects,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    let with_blobs = group.accepted(entries, effects).filter(|(_, draft)| !draft.blobs.is_empty());
    for (known, sha256) in with_blobs.flat_map(|(known, draft)| draft.blobs.iter().map(move |blob| (known, blob))) {
        sqlx::query("insert into run_blobs (run_no, sha256) values (?1, ?2) on conflict do nothing")
            .bind(known.place.no)
            .bind(sha256.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Writes how the runs stand now. Whether one of them is due already.
pub(super) async fn update_runs(entries: &[Entry], now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let changed: Vec<(&Known<Numbers>, &Change)> = entries
        .iter()
        .filter(|entry| !entry.born && (entry.change.stand.is_some() || entry.change.calms))
        .filter_map(|entry| Some((entry.known.as_ref()?, &entry.change)))
        .collect();
    let mut due = false;
    let mut left = changed.as_slice();
    while !left.is_empty() {
        let (some, rest) = left.split_at(take(left.len()));
        let mut bound = Bound::with_room(some.len() * 8);
        for (known, change) in some {
            let stand = change.stand.as_ref();
            let is = |status| stand.is_some_and(|stand| stand.status == status);
            bound.add(known.place.no).add(stand.map(|stand| stand.status.as_str()));
            bound.add(if is(RunStatus::Queued) { Some(now) } else { stand.and_then(|stand| stand.until) });
            bound.add((stand.is_some() && !is(RunStatus::Queued)).then_some(now));
            bound.add(stand.is_some_and(|stand| stand.status.is_terminal()).then_some(now));
            bound.add(stand.and_then(|stand| stand.ending.clone())).add(change.calms).add(now);
        }
        let mut rows = sqlx::query_with(UPDATE_RUNS.sql(some.len()), bound.0).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            due |= row.try_get::<Option<i64>, _>(0)?.is_some_and(|due_at| due_at <= now);
        }
        left = rest;
    }
    Ok(due)
}

/// Counts made and ended runs, by organization.
pub(super) async fn count(entries: &[Entry], connection: &mut SqliteConnection) -> Result<(), Fail> {
    let mut counts: Vec<(i64, [i64; 3])> = Vec::new();
    for (entry, known) in entries.iter().filter_map(|entry| Some((entry, entry.known.as_ref()?))) {
        let more = entry.counts();
        if more == [0; 3] {
            continue;
        }
        match counts.iter_mut().find(|(org_no, _)| *org_no == known.place.org_no) {
            Some((_, sums)) => sums.iter_mut().zip(more).for_each(|(sum, one)| *sum += one),
            None => counts.push((known.place.org_no, more)),
        }
    }
    for (org_no, [total, successful, failed]) in counts {
        sqlx::query(
            "update organization_totals set total_executions = total_executions + ?2, successful = successful + ?3, \
             failed = failed + ?4 where no = ?1",
        )
        .bind(org_no)
        .bind(total)
        .bind(successful)
        .bind(failed)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A parent that waits is due now; one that is held learns it at its next wait. Whether one is due.
pub(super) async fn wake_parents(entries: &[Entry], now: Millis, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let ended = entries.iter().filter(|entry| entry.ended);
    let parents = hex_list(ended.filter_map(|entry| entry.known.as_ref()?.parent).map(|parent| parent.0));
    if parents == "[]" {
        return Ok(false);
    }
    let rows = sqlx::query(
        "update runs set due_at = case status when 'waiting' then min(coalesce(due_at, ?1), ?1) else due_at end, \
         signalled = case status when 'running' then 1 else signalled end \
         where id in (select unhex(value) from json_each(?2)) and status in ('waiting', 'running') returning due_at",
    )
    .bind(now)
    .bind(parents)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().any(|row| row.try_get::<Option<i64>, _>(0).is_ok_and(|due_at| due_at.is_some())))
}
