//! The execution log: attempts newest first, out of the journal.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::store::{FileStore as _, LogEntry, LogFilter, LogStore, Monitoring, Page, Paging, Prunable, Retention, StoreError};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, key};
use super::{PostgresStore, at, json, monitoring, text};
use crate::shared::cursor::{self, IdCursor};

#[async_trait]
impl LogStore for PostgresStore {
    async fn list_logs(&self, org: OrgId, filter: &LogFilter, paging: &Paging) -> Result<Page<LogEntry>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let page = list(org, filter, cursor, paging, &mut session).await?;
            session.end().await?;
            Ok(page)
        };
        self.within(found).await
    }

    async fn monitoring(&self, org: OrgId) -> Result<Monitoring, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let found = monitoring::monitoring(org, &mut session).await?;
            session.end().await?;
            Ok(found)
        };
        self.within(found).await
    }

    async fn prune(&self, retention: &Retention, batch: u32) -> Result<u64, StoreError> {
        let runs = self.within(self.prune_batch(retention, batch)).await?;
        if runs == 0 {
            self.prune_sessions().await?;
            self.sweep_files().await?;
        }
        Ok(runs)
    }

    async fn prunable(&self, retention: &Retention) -> Result<Vec<Prunable>, StoreError> {
        self.within(self.would_prune(retention)).await
    }
}

/// What the page needs of a body. A small one comes whole, and so does one with \u0000 in it, which PostgreSQL's own functions
/// refuse; of a large one the output comes as it is shown, cut.
macro_rules! list_sql {
    ($way:literal) => {
        concat!(
            "select j.run_id, j.seq, j.at, j.plan_id, r.plan_name, \
             case when octet_length(j.body::text) <= 16384 or position('\\u0000' in j.body::text) > 0 then j.body::text \
             else json_build_object('step_number', j.body -> 'step_number', 'path', j.body -> 'path', 'attempt', j.body -> 'attempt', \
             'provider', j.body -> 'provider', 'action', j.body -> 'action', 'status', j.body -> 'status', \
             'message', j.body -> 'message', 'latency_us', j.body -> 'latency_us', 'error', j.body -> 'error', \
             'blob', j.body -> 'blob', 'shown', left(mainspring_shown(j.body -> 'output'), 500))::text end \
             from journal as j join runs as r on r.org_id = j.org_id and r.id = j.run_id \
             where j.org_id = $1 and j.provider is not null and ",
            $way,
            " and ($3::uuid is null or j.plan_id = $3) and ($4::text is null or j.status = $4) and ($5::text is null or j.provider = $5) \
             and j.at >= $6 and j.at < $7 and (j.at, j.run_id, j.seq) < ($8, $9, $10) \
             order by j.at desc, j.run_id desc, j.seq desc limit $11"
        )
    };
}

const OF_ORG: &str = list_sql!("$2::uuid is null");
const OF_RUN: &str = list_sql!("j.run_id = $2");

/// `since` is part of the span, `until` is not.
async fn list(org: OrgId, filter: &LogFilter, cursor: IdCursor, paging: &Paging, session: &mut Session) -> Result<Page<LogEntry>, Fail> {
    let rows = session
        .query(if filter.run.is_some() { OF_RUN } else { OF_ORG })
        .bind(org.0)
        .bind(filter.run.map(|run| run.0))
        .bind(filter.plan.map(|plan| plan.0))
        .bind(filter.status.as_deref().map(key))
        .bind(filter.provider.as_deref().map(key))
        .bind(Stamp(filter.since.unwrap_or(i64::MIN)))
        .bind(Stamp(filter.until.unwrap_or(i64::MAX)))
        .bind(Stamp(cursor.at))
        .bind(cursor.id)
        .bind(i32::try_from(cursor.seq).unwrap_or(i32::MAX))
        .bind(cursor::limit(paging))
        .fetch_all(&mut **session)
        .await?;
    let found = rows.iter().map(|row| {
        let (entry, seq) = entry(row)?;
        Ok((IdCursor { at: entry.timestamp, id: entry.run_id.0, seq }, entry))
    });
    Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
}

/// Characters of a preview.
const PREVIEW: usize = 500;

fn entry(row: &PgRow) -> Result<(LogEntry, u32), Fail> {
    let run = RunId(row.try_get(0)?);
    let seq = row.try_get::<i32, _>(1)?.cast_unsigned();
    let mut body: Value = json(row, 5)?;
    let word = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let error = match body["error"].take() {
        Value::Null => None,
        error => Some(error),
    };
    let entry = LogEntry {
        id: format!("{run}.{seq}"),
        run_id: run,
        plan_id: PlanId(row.try_get(3)?),
        plan_name: text(row, 4)?,
        step_number: number(&body["step_number"]),
        step_id: word(&body, "path"),
        attempt: number(&body["attempt"]).unwrap_or_default(),
        provider: word(&body, "provider"),
        action: word(&body, "action"),
        status: word(&body, "status"),
        message: word(&body, "message"),
        latency_ms: body["latency_us"].as_f64().unwrap_or_default() / 1_000.0,
        output_preview: preview(&body),
        error,
        timestamp: at(row, 2)?,
    };
    Ok((entry, seq))
}

/// A text is shown as it is, anything else as JSON; so is a text with a NUL, which not everything that shows it could.
fn preview(body: &Value) -> String {
    let shown = match (&body["shown"], &body["output"]) {
        (Value::String(shown), _) if shown != "null" => shown.clone(),
        (_, Value::Null) => body["blob"]["preview"].as_str().unwrap_or_default().to_owned(),
        (_, Value::String(text)) if !text.contains('\0') => text.clone(),
        (_, value) => value.to_string(),
    };
    match shown.char_indices().nth(PREVIEW) {
        Some((end, _)) => shown[..end].to_owned(),
        None => shown,
    }
}
