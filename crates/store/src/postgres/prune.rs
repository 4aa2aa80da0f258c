//! Pruning: finished runs leave in small batches, their blobs follow when nobody else needs them, and days of the journal go whole.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Prunable, Retention, SIGNAL_KEPT};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::access::ANSWER_KEPT;
use super::error::Fail;
use super::session::{Scope, Session};
use super::values::Stamp;
use super::{PostgresStore, at, at_or_none, days};

/// A blob younger than this may belong to a write under way.
const BLOB_AGE: Millis = 3_600_000;
/// Rows of one kind that one call removes beside the runs.
const MOST_OTHERS: i64 = 200;

/// The newest run that may go: it and those before it, by end and id.
type Bound = (Millis, Uuid);

/// A child stays as long as its parent goes on: the parent has yet to read its ending.
macro_rules! old_runs {
    () => {
        "from runs as r where r.finished_at is not null and (r.finished_at, r.id) <= ($1, $2) and not exists (select from runs as p \
         where p.org_id = r.org_id and p.id = r.parent_id and p.finished_at is null)"
    };
}

/// History that no run uses.
macro_rules! old_versions {
    () => {
        "from plan_versions as v where v.retired_at < $1 and not exists (select from runs as r where r.plan_id = v.plan_id \
         and r.plan_version = v.version)"
    };
}

fn prunable(kind: &'static str, row: &PgRow) -> Result<Prunable, Fail> {
    Ok(Prunable { kind, rows: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(), oldest: at_or_none(row, 1)? })
}

impl PostgresStore {
    pub(super) async fn would_prune(&self, retention: &Retention) -> Result<Vec<Prunable>, Fail> {
        let mut session = self.read(Scope::Queue).await?;
        let now = session.now();
        let bound = bound(retention, now, &mut session).await?;
        let mut all = Vec::new();
        let runs = session.query(concat!("select count(r.id), min(r.finished_at) ", old_runs!())).bind(Stamp(bound.0)).bind(bound.1);
        all.push(prunable("runs", &runs.fetch_one(&mut *session).await?)?);
        let retired = now.saturating_sub(millis(retention.min_age));
        let versions = session.query(concat!("select count(v.plan_id), min(v.retired_at) ", old_versions!())).bind(Stamp(retired));
        all.push(prunable("plan_versions", &versions.fetch_one(&mut *session).await?)?);
        let answers = session.query("select count(org_id), min(started_at) from idempotency where started_at <= $1");
        all.push(prunable("remembered_answers", &answers.bind(Stamp(now - ANSWER_KEPT)).fetch_one(&mut *session).await?)?);
        let signals = session.query("select count(org_id), min(received_at) from signals where received_at < $1");
        all.push(prunable("signals", &signals.bind(Stamp(now - SIGNAL_KEPT)).fetch_one(&mut *session).await?)?);
        let files = session.query("select count(org_id), min(expires_at) from files where expires_at <= $1");
        all.push(prunable("files", &files.bind(Stamp(now)).fetch_one(&mut *session).await?)?);
        session.end().await?;
        Ok(all)
    }

    pub(super) async fn prune_batch(&self, retention: &Retention, batch: u32) -> Result<u64, Fail> {
        let mut session = self.steps.open(Scope::Queue, true, None).await?;
        let now = session.now();
        let bound = bound(retention, now, &mut session).await?;
        let runs = delete_runs(bound, batch, now, &mut session).await?;
        session.commit().await?;
        let mut session = self.steps.open(Scope::Queue, true, None).await?;
        let prefix = format!("{:02x}", self.blob_prefix.fetch_add(1, Ordering::Relaxed));
        delete_blobs(&prefix, now - BLOB_AGE, &mut session).await?;
        session.enter(Scope::Queue).await?;
        delete_versions(now.saturating_sub(millis(retention.min_age)), &mut session).await?;
        session.enter(Scope::Queue).await?;
        delete_answers(now - ANSWER_KEPT, &mut session).await?;
        session.commit().await?;
        if runs == 0 {
            // Outside of a transaction: each day is one of its own.
            let mut connection = self.terms.connect().await?;
            match tokio::time::timeout(self.terms.deadline * 2, days::drop_empty(&mut connection)).await {
                Ok(dropped) => dropped?,
                Err(_) => return Err(self.terms.late().into()),
            };
        }
        Ok(runs)
    }
}

/// By age and by count, and never younger than the least age.
async fn bound(retention: &Retention, now: Millis, session: &mut Session) -> Result<Bound, Fail> {
    let by_age = (now.saturating_sub(millis(retention.max_age)) - 1, Uuid::max());
    let row = session
        .query("select finished_at, id from runs where finished_at is not null order by finished_at desc, id desc limit 1 offset $1")
        .bind(i64::try_from(retention.max_runs).unwrap_or(i64::MAX))
        .fetch_optional(&mut **session)
        .await?;
    let by_count = match row {
        Some(row) => (at(&row, 0)?, row.try_get(1)?),
        None => by_age,
    };
    Ok(by_age.max(by_count).min((now.saturating_sub(millis(retention.min_age)), Uuid::max())))
}

/// Deletes runs up to `bound` with all that belongs to them; how many. Their journal goes with its day, as soon as no run of that
/// day is left; a run whose day some other run keeps for long, or that lies in no day, takes its rows along.
async fn delete_runs(bound: Bound, batch: u32, now: Millis, session: &mut Session) -> Result<u64, Fail> {
    let rows = session
        .query(concat!("select r.org_id, r.id ", old_runs!(), " order by r.finished_at, r.id limit $3"))
        .bind(Stamp(bound.0))
        .bind(bound.1)
        .bind(i64::from(batch))
        .fetch_all(&mut **session)
        .await?;
    let mut by_org: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for row in &rows {
        by_org.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    let lasting = days::lasting(by_org.values().flatten().copied(), session).await?;
    let mut count = 0;
    for (org, ids) in by_org {
        session.enter(Scope::Org(OrgId(org))).await?;
        let with_rows: Vec<Uuid> = ids.iter().copied().filter(|id| lasting.contains(&days::day_of(*id))).collect();
        if !with_rows.is_empty() {
            session.query(DELETE_JOURNAL).bind(org).bind(with_rows).execute(&mut **session).await?;
        }
        let sql = "delete from run_blobs where org_id = $1 and run_id = any($2) returning sha256";
        let lost = session.query(sql).bind(org).bind(&ids).fetch_all(&mut **session).await?;
        let lost = lost.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        if !lost.is_empty() {
            delete_unneeded(org, &lost, now - BLOB_AGE, session).await?;
        }
        let sql = "delete from runs where org_id = $1 and id = any($2) and finished_at is not null";
        count += session.query(sql).bind(org).bind(&ids).execute(&mut **session).await?.rows_affected();
    }
    Ok(count)
}

const DELETE_JOURNAL: &str = "delete from journal where org_id = $1 and run_id = any($2)";

/// Removes those of these blobs that no run refers to and nobody used lately.
async fn delete_unneeded(org: Uuid, blobs: &[String], before: Millis, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "delete from blobs as b where b.org_id = $1 and b.sha256 = any($2) and b.touched_at < $3 \
             and not exists (select from run_blobs as r where r.org_id = b.org_id and r.sha256 = b.sha256)",
        )
        .bind(org)
        .bind(blobs)
        .bind(Stamp(before))
        .execute(&mut **session)
        .await?;
    Ok(())
}

/// Those of one prefix that never had a run: a crash came between the two, or the run's write was late.
async fn delete_blobs(prefix: &str, before: Millis, session: &mut Session) -> Result<(), Fail> {
    let rows = session
        .query(
            "select b.org_id, b.sha256 from blobs as b where left(b.sha256, 2) = $1 and b.touched_at < $2 \
             and not exists (select from run_blobs as r where r.org_id = b.org_id and r.sha256 = b.sha256) limit $3",
        )
        .bind(prefix)
        .bind(Stamp(before))
        .bind(MOST_OTHERS)
        .fetch_all(&mut **session)
        .await?;
    for row in rows {
        let org: Uuid = row.try_get(0)?;
        session.enter(Scope::Org(OrgId(org))).await?;
        delete_unneeded(org, &[row.try_get(1)?], before, session).await?;
    }
    Ok(())
}

/// Versions that are history and that no run uses.
async fn delete_versions(before: Millis, session: &mut Session) -> Result<(), Fail> {
    let rows = session
        .query(concat!("select v.org_id, v.plan_id, v.version ", old_versions!(), " limit $2"))
        .bind(Stamp(before))
        .bind(MOST_OTHERS)
        .fetch_all(&mut **session)
        .await?;
    for row in rows {
        let (org, plan, version): (Uuid, Uuid, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        session.enter(Scope::Org(OrgId(org))).await?;
        session
            .query(
                "delete from plan_versions as v where v.org_id = $1 and v.plan_id = $2 and v.version = $3 and v.retired_at is not null \
                 and not exists (select from runs as r where r.org_id = v.org_id and r.plan_id = v.plan_id and r.plan_version = v.version)",
            )
            .bind(org)
            .bind(plan)
            .bind(version)
            .execute(&mut **session)
            .await?;
    }
    Ok(())
}

async fn delete_answers(until: Millis, session: &mut Session) -> Result<(), Fail> {
    let sql = "select distinct org_id from (select org_id from idempotency where started_at <= $1 order by started_at limit 10000) as old";
    let rows = session.query(sql).bind(Stamp(until)).fetch_all(&mut **session).await?;
    for row in rows {
        let org: Uuid = row.try_get(0)?;
        session.enter(Scope::Org(OrgId(org))).await?;
        let query = session.query("delete from idempotency where org_id = $1 and started_at <= $2").bind(org).bind(Stamp(until));
        query.execute(&mut **session).await?;
    }
    Ok(())
}

fn millis(duration: std::time::Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
