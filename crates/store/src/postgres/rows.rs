//! The statements of a group commit after judgement: one per table and organization, whatever the number of runs.

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::StoreError;
use sqlx::postgres::PgBindIterExt;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::commit::{Entry, Group};
use super::error::Fail;
use super::ledger::Effects;
use super::values::{Stamp, key};
use crate::shared::draft::DraftRow;
use crate::shared::group::accepted;
use crate::shared::judge::{Change, Known};

use super::ledger::Place;

const INSERT_ROWS: &str = "insert into journal (org_id, run_id, seq, at, plan_id, provider, status, body) \
     select $1, run_id, seq, at, plan_id, provider, status, body::json \
     from unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[], $8::text[]) \
     as v (run_id, seq, at, plan_id, provider, status, body)";

/// The journal rows of all accepted writes.
pub(super) async fn insert_rows(
    org: OrgId,
    group: &Group<'_>,
    entries: &[Entry],
    effects: &Effects,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let writes = accepted(entries, group.drafts, &effects.verdicts);
    let rows: Vec<(&Entry, &Known<Place>, &DraftRow)> =
        writes.flat_map(|(entry, known, draft)| draft.rows.iter().map(move |row| (entry, known, row))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    if rows.iter().any(|(_, _, row)| i32::try_from(row.seq).is_err()) {
        return Err(StoreError::Failed("a journal has at most 2,147,483,647 rows".to_owned()).into());
    }
    let all = || rows.iter();
    sqlx::query(INSERT_ROWS)
        .persistent(group.prepared)
        .bind(org.0)
        .bind(all().map(|(entry, _, _)| entry.run.0).bind_iter())
        .bind(all().map(|(_, _, row)| row.seq.cast_signed()).bind_iter())
        .bind(all().map(|(_, _, row)| Stamp(row.at)).bind_iter())
        .bind(all().map(|(_, known, _)| known.place.plan.0).bind_iter())
        .bind(all().map(|(_, _, row)| row.attempt.as_ref().map(|(provider, _)| key(provider))).bind_iter())
        .bind(all().map(|(_, _, row)| row.attempt.as_ref().map(|(_, status)| key(status))).bind_iter())
        .bind(all().map(|(_, _, row)| &*row.body).bind_iter())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes which runs need which blobs; few do.
pub(super) async fn insert_blobs(
    org: OrgId,
    group: &Group<'_>,
    entries: &[Entry],
    effects: &Effects,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let writes = accepted(entries, group.drafts, &effects.verdicts);
    let (runs, blobs): (Vec<Uuid>, Vec<&str>) =
        writes.flat_map(|(entry, _, draft)| draft.blobs.iter().map(|blob| (entry.run.0, blob.as_str()))).unzip();
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into run_blobs (org_id, run_id, sha256) select $1, run_id, sha256 from unnest($2::uuid[], $3::text[]) \
         as v (run_id, sha256) order by run_id, sha256 on conflict do nothing",
    )
    .persistent(group.prepared)
    .bind(org.0)
    .bind(runs)
    .bind(blobs)
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks parents together with the runs that change, in the order of ids: two writers that wake each other's runs never wait in
/// a circle. Without parents the update below locks in that order by itself.
pub(super) async fn lock(org: OrgId, entries: &[Entry], prepared: bool, connection: &mut PgConnection) -> Result<(), Fail> {
    let parents = parents(entries);
    if parents.is_empty() {
        return Ok(());
    }
    let all: Vec<Uuid> = changed(entries).map(|(entry, _)| entry.run.0).chain(parents).collect();
    sqlx::query(LOCK).persistent(prepared).bind(org.0).bind(all).execute(connection).await?;
    Ok(())
}

/// The runs $2 of the organization $1, in the order of their ids, each found by the index of its id. Written as `id = any($2)` it
/// would be up to figures that are missing in a young table: a plan that reads hundreds of rows for each was seen, and kept.
pub(super) const LOCK: &str = "select r.id from (select unnest($2::uuid[]) as id order by 1) as asked cross join lateral \
     (select id from runs where org_id = $1 and runs.id = asked.id for no key update) as r";

/// `status` null: stays. The rows are locked in the order of their ids before they change; found one by one as above, the update of
/// a large group would be quadratic.
const UPDATE_RUNS: &str = "with locked as materialized (select id from runs where org_id = $1 and id = any($2) order by id for no key update) \
     update runs as r set status = case when v.status in ('paused', 'waiting') and r.pause_asked and not r.cancel_asked then 'paused' \
     when v.status = 'paused' then 'queued' else coalesce(v.status, r.status) end, \
     due_at = case when v.status is null then r.due_at \
     when v.status in ('paused', 'waiting') and r.pause_asked and not r.cancel_asked then null when v.status = 'paused' then $8 \
     when v.status = 'waiting' and r.signalled then $8 else v.due_at end, \
     epoch = case when v.status in ('queued', 'paused') then 0 else r.epoch end, \
     tag = case when v.status = 'queued' then coalesce(v.tag, 'default') else r.tag end, \
     signalled = case when v.status is null or v.status = 'running' then r.signalled else false end, \
     started_at = coalesce(r.started_at, v.started_at), finished_at = v.finished_at, ending = v.ending::json, \
     crashes = case when v.calms then 0 else r.crashes end, crashes_alone = case when v.calms then 0 else r.crashes_alone end \
     from locked, unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $9::boolean[], $10::text[]) \
     as v (id, status, due_at, started_at, finished_at, ending, calms, tag) \
     where r.org_id = $1 and r.id = v.id and locked.id = v.id returning coalesce(r.due_at <= $8, false)";

fn changed(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &Change)> {
    let changed = |entry: &&Entry| !entry.born && entry.known.is_some() && (entry.change.stand.is_some() || entry.change.calms);
    entries.iter().filter(changed).map(|entry| (entry, &entry.change))
}

/// Writes how the runs stand now. Whether one of them is due already.
pub(super) async fn update_runs(
    org: OrgId,
    entries: &[Entry],
    now: Millis,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<bool, Fail> {
    if changed(entries).next().is_none() {
        return Ok(false);
    }
    let all = || changed(entries).map(|(entry, change)| (entry, change.stand.as_ref(), change.calms));
    let is = |stand: Option<&crate::shared::draft::Stand>, status| stand.is_some_and(|stand| stand.status == status);
    let rows = sqlx::query(UPDATE_RUNS)
        .persistent(prepared)
        .bind(org.0)
        .bind(all().map(|(entry, _, _)| entry.run.0).bind_iter())
        .bind(all().map(|(_, stand, _)| stand.map(|stand| stand.status.as_str())).bind_iter())
        .bind(
            all()
                .map(
                    |(_, stand, _)| {
                        if is(stand, RunStatus::Queued) { Some(Stamp(now)) } else { stand.and_then(|stand| stand.until).map(Stamp) }
                    },
                )
                .bind_iter(),
        )
        .bind(all().map(|(_, stand, _)| (stand.is_some() && !is(stand, RunStatus::Queued)).then_some(Stamp(now))).bind_iter())
        .bind(all().map(|(_, stand, _)| stand.is_some_and(|stand| stand.status.is_terminal()).then_some(Stamp(now))).bind_iter())
        .bind(all().map(|(_, stand, _)| stand.and_then(|stand| stand.ending.as_deref())).bind_iter())
        .bind(Stamp(now))
        .bind(all().map(|(_, _, calms)| calms).bind_iter())
        .bind(all().map(|(_, stand, _)| stand.and_then(|stand| stand.tag.as_deref())).bind_iter())
        .fetch_all(connection)
        .await?;
    let mut due = false;
    for row in &rows {
        due |= row.try_get::<bool, _>(0)?;
    }
    Ok(due)
}

fn parents(entries: &[Entry]) -> Vec<Uuid> {
    entries.iter().filter(|entry| entry.ended).filter_map(|entry| Some(entry.known.as_ref()?.parent?.0)).collect()
}

/// A parent that waits is due now; one that is held learns it at its next wait. Whether one is due.
pub(super) async fn wake_parents(
    org: OrgId,
    entries: &[Entry],
    now: Millis,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<bool, Fail> {
    let parents = parents(entries);
    if parents.is_empty() {
        return Ok(false);
    }
    let rows = sqlx::query(
        "update runs set due_at = case status when 'waiting' then least(coalesce(due_at, $2), $2) else due_at end, \
         signalled = case status when 'running' then true else signalled end \
         where org_id = $1 and id = any($3) and status in ('waiting', 'running') returning due_at is not null",
    )
    .persistent(prepared)
    .bind(org.0)
    .bind(Stamp(now))
    .bind(parents)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().any(|row| row.try_get::<bool, _>(0).unwrap_or(false)))
}

/// Counts made and ended runs of the organization. Last before the commit: the row is locked for as long as the disk takes.
pub(super) async fn count(org: OrgId, shard: i16, entries: &[Entry], prepared: bool, connection: &mut PgConnection) -> Result<(), Fail> {
    let mut sums = [0_i64; 3];
    for entry in entries {
        sums.iter_mut().zip(entry.counts()).for_each(|(sum, one)| *sum += one);
    }
    if sums == [0; 3] {
        return Ok(());
    }
    sqlx::query(
        "insert into organization_totals as t (org_id, shard, total_executions, successful, failed) values ($1, $2, $3, $4, $5) \
         on conflict (org_id, shard) do update set total_executions = t.total_executions + excluded.total_executions, \
         successful = t.successful + excluded.successful, failed = t.failed + excluded.failed",
    )
    .persistent(prepared)
    .bind(org.0)
    .bind(shard)
    .bind(sums[0])
    .bind(sums[1])
    .bind(sums[2])
    .execute(connection)
    .await?;
    Ok(())
}
