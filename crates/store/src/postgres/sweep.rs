//! The sweep: nodes whose lease is over are declared dead, and what they held goes back to the queue.
//!
//! First the node's row goes, which waits for its writes under way and stops all later ones; then its runs are found by their
//! epoch, which no row has. A sweep that dies between the two leaves runs that the next one finds in the same way.

use mainspring_model::store::StoreError;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::error::Fail;
use super::session::{Scope, Terms};
use super::values::Stamp;
use crate::sabotage::{Switch, is_on, lease_clock};

/// Runs of one transaction: a pause of some milliseconds for whoever waits behind it.
const BATCH: i64 = 500;

/// Rows that a writer of theirs holds are left to the next sweep, a second later: one stopped process does not hold up the rest.
const DECLARE: &str = "delete from nodes where no in (select no from nodes where lease_until < clock_timestamp() order by no \
     for update skip locked) returning no, alone";

/// Epochs of held runs that no node has: a walk from one epoch to the next, whatever the number of runs.
const ORPHANED: &str = "with recursive e (epoch) as ((select epoch from runs where status = 'running' order by epoch limit 1) \
     union all select (select r.epoch from runs as r where r.status = 'running' and r.epoch > e.epoch order by r.epoch limit 1) \
     from e where e.epoch is not null) \
     select epoch from e where epoch is not null and not exists (select from nodes as n where n.no = e.epoch)";

const QUEUE: &str = "update runs set status = 'queued', due_at = $2, epoch = 0, crashes = crashes + $3 where (org_id, id) in \
     (select org_id, id from runs where status = 'running' and epoch = $1 and id > $4 order by id limit $5 for update skip locked) \
     returning id";

/// One sweep; how many runs went back to the queue.
pub(super) async fn sweep(terms: &Terms, connection: &mut PgConnection) -> Result<u64, Fail> {
    declare(terms, connection).await?;
    if is_on(Switch::SweepDropsErrors) {
        return Ok(0);
    }
    terms.begin(Scope::Queue, false, None, connection).await?;
    let rows = sqlx::query(ORPHANED).persistent(terms.prepared).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("commit").execute(&mut *connection).await?;
    let mut queued = 0;
    for row in rows {
        let epoch: i64 = row.try_get(0)?;
        let runs = queue_runs_of(epoch, 1, terms, connection).await?;
        tracing::warn!(epoch, runs, "a node died; its runs are queued");
        queued += runs;
    }
    Ok(queued)
}

async fn declare(terms: &Terms, connection: &mut PgConnection) -> Result<(), Fail> {
    terms.begin(Scope::Nobody, true, None, connection).await?;
    let declare = DECLARE.replace("clock_timestamp()", &lease_clock());
    let rows = sqlx::query(AssertSqlSafe(declare)).persistent(terms.prepared).fetch_all(&mut *connection).await?;
    let alone: Vec<(i64, Uuid)> =
        rows.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.try_get::<Option<Uuid>, _>(1).ok()??))).collect();
    if !alone.is_empty() {
        terms.enter(Scope::Queue, connection).await?;
        let (epochs, runs): (Vec<i64>, Vec<Uuid>) = alone.into_iter().unzip();
        sqlx::query(
            "update runs set crashes_alone = crashes_alone + 1 from unnest($1::bigint[], $2::uuid[]) as v (epoch, id) \
             where runs.id = v.id and runs.epoch = v.epoch and runs.status = 'running'",
        )
        .persistent(terms.prepared)
        .bind(epochs)
        .bind(runs)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::raw_sql("commit").execute(connection).await?;
    Ok(())
}

/// Gives the runs of an epoch back, batch by batch. `crash` is what each is counted for it.
pub(super) async fn queue_runs_of(epoch: i64, crash: i32, terms: &Terms, connection: &mut PgConnection) -> Result<u64, Fail> {
    let mut queued = 0;
    let mut cursor = Uuid::nil();
    loop {
        let opened = terms.begin(Scope::Queue, true, None, connection).await?;
        let rows = sqlx::query(QUEUE)
            .persistent(terms.prepared)
            .bind(epoch)
            .bind(Stamp(opened.now))
            .bind(crash)
            .bind(cursor)
            .bind(BATCH)
            .fetch_all(&mut *connection)
            .await?;
        sqlx::raw_sql("commit").execute(&mut *connection).await?;
        let Some(last) = rows.iter().map(|row| row.try_get::<Uuid, _>(0)).collect::<Result<Vec<_>, _>>()?.into_iter().max() else {
            return Ok(queued);
        };
        queued += rows.len() as u64;
        cursor = last;
    }
}

impl PostgresStore {
    /// Declares dead every node whose lease is over by the database's clock, and queues its runs; how many. The store does this
    /// by itself every second while it is open, unless its options say otherwise.
    ///
    /// # Errors
    /// The store's. What was swept stays so, and the next sweep goes on.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let swept = async {
            let mut connection = self.terms.connect().await?;
            match tokio::time::timeout(self.terms.deadline * 6, sweep(&self.terms, &mut connection)).await {
                Ok(swept) => swept,
                Err(_) => Err(self.terms.late().into()),
            }
        };
        let queued = self.within(swept).await?;
        if queued > 0 {
            self.notices.tell();
        }
        Ok(queued)
    }
}
