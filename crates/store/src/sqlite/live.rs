//! What live updates read: the state of some runs, and the newest of a journal without its values.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunSummary;
use mainspring_model::store::{LiveStore, StoreError};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::runs::{summary, with_owner};
use super::{SqliteStore, bytes, hex_list, json};

/// As a list shows them, without the output.
macro_rules! select_states {
    ($from:expr, $rest:literal) => {
        concat!(
            "select r.id, p.plan_id, r.plan_version, r.plan_name, r.status, r.trigger_data ->> '$.type', r.created_at, r.started_at, \
             r.finished_at, r.due_at, json_remove(r.ending, '$.output', '$.blob'), r.no, coalesce(r.flow_state = 'held', 0), r.set_aside",
            $from,
            "where ",
            $rest
        )
    };
}

const BY_ID: &str = select_states!(with_owner!(), "o.org_id = ?1 and r.id in (select unhex(value) from json_each(?2))");

/// The indexes are named for the reason given at the lists.
const MADE: &str = select_states!(
    " from runs as r indexed by runs_by_org join plan_numbers as p on p.no = r.plan_no ",
    "r.org_no = (select no from organization_totals where org_id = ?1) and r.created_at >= ?2 order by r.created_at, r.no limit ?3"
);
const ENDED: &str = select_states!(
    " from runs as r indexed by runs_finished join plan_numbers as p on p.no = r.plan_no ",
    "r.org_no = (select no from organization_totals where org_id = ?1) and r.finished_at >= ?2 order by r.finished_at, r.no limit ?3"
);

const ROWS: &str = "select j.seq, j.at, json_remove(j.body, '$.output', '$.metadata', '$.blob') from journal as j \
     where j.run_no = (select r.no from runs as r join organization_totals as o on o.no = r.org_no where o.org_id = ?1 and r.id = ?2) \
     and j.seq > ?3 order by j.run_no, j.seq limit ?4";

#[async_trait]
impl LiveStore for SqliteStore {
    async fn runs_by_id(&self, org: OrgId, ids: &[RunId]) -> Result<Vec<RunSummary>, StoreError> {
        let ids = hex_list(ids.iter().map(|run| run.0));
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(BY_ID).bind(bytes(org.0)).bind(ids).fetch_all(connection).await?;
                rows.iter().map(summary).collect()
            })
        })
        .await
    }

    async fn runs_changed(&self, org: OrgId, since: Millis, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut found = Vec::new();
                for sql in [MADE, ENDED] {
                    let rows = sqlx::query(sql).bind(bytes(org.0)).bind(since).bind(limit).fetch_all(&mut *connection).await?;
                    for row in &rows {
                        found.push(summary(row)?);
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    async fn journal_after(&self, org: OrgId, run: RunId, after: u32, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.read(move |connection| Box::pin(rows(org, run, after, limit, connection))).await
    }
}

async fn rows(org: OrgId, run: RunId, after: u32, limit: u32, connection: &mut SqliteConnection) -> Result<Vec<Event>, Fail> {
    let mut rows = sqlx::query(ROWS).bind(bytes(org.0)).bind(bytes(run.0)).bind(after).bind(limit).fetch(connection);
    let mut events = Vec::new();
    while let Some(row) = rows.try_next().await? {
        events.push(Event { seq: row.try_get(0)?, at: row.try_get(1)?, body: json(row.try_get(2)?)? });
    }
    Ok(events)
}
