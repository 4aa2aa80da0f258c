//! What live updates read: the state of some runs, and the newest of a journal without its values.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunSummary;
use mainspring_model::store::{LiveStore, StoreError};
use sqlx::Row;

use super::runs::summary;
use super::session::Scope;
use super::values::Stamp;
use super::{PostgresStore, at, json};

/// As a list shows them, without the output. By `json_each`, because `jsonb` refuses texts that `json` holds.
macro_rules! select_states {
    ($rest:literal) => {
        concat!(
            "select id, plan_id, plan_version, plan_name, status, trigger_kind, created_ms, started_at, finished_at, due_at, \
             (select json_object_agg(e.key, e.value)::text from json_each(ending) as e where e.key not in ('output', 'blob')), tag, \
             coalesce(flow_state = 'held', false), set_aside \
             from runs where org_id = $1 and ",
            $rest
        )
    };
}

const BY_ID: &str = select_states!("id = any($2)");
const MADE: &str = select_states!("created_ms >= $2 order by created_ms, id limit $3");
const ENDED: &str = select_states!("finished_at >= $2 order by finished_at, id limit $3");

const ROWS: &str = "select seq, at, (select json_object_agg(e.key, e.value)::text from json_each(body) as e \
     where e.key not in ('output', 'metadata', 'blob')) from journal \
     where org_id = $1 and run_id = $2 and seq > $3 order by org_id, run_id, seq limit $4";

#[async_trait]
impl LiveStore for PostgresStore {
    async fn runs_by_id(&self, org: OrgId, ids: &[RunId]) -> Result<Vec<RunSummary>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|run| run.0).collect();
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(BY_ID).bind(org.0).bind(ids).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(summary).collect()
        };
        self.said(found.await)
    }

    async fn runs_changed(&self, org: OrgId, since: Millis, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let mut rows = session.query(MADE).bind(org.0).bind(since).bind(i64::from(limit)).fetch_all(&mut *session).await?;
            rows.extend(session.query(ENDED).bind(org.0).bind(Stamp(since)).bind(i64::from(limit)).fetch_all(&mut *session).await?);
            session.end().await?;
            rows.iter().map(summary).collect()
        };
        self.said(found.await)
    }

    async fn journal_after(&self, org: OrgId, run: RunId, after: u32, limit: u32) -> Result<Vec<Event>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(ROWS).bind(org.0).bind(run.0).bind(after.cast_signed()).bind(i64::from(limit));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter()
                .map(|row| Ok(Event { seq: row.try_get::<i32, _>(0)?.cast_unsigned(), at: at(row, 1)?, body: json(row, 2)? }))
                .collect()
        };
        self.said(found.await)
    }
}
