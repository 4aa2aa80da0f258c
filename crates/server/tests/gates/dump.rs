//! The journal as it lies on disk: read through the store from a copy of a dead server's data folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use mainspring_model::event::{Event, EventBody};
use mainspring_model::id::OrgId;
use mainspring_model::run::RunSummary;
use mainspring_model::store::{Paging, RunFilter, RunStore};
use mainspring_server::wire::SystemClock;
use mainspring_store::{DATABASE_FILE, OpenOptions, SqliteStore};
use serde_json::Value;

use super::oracle::{Row, RowKind, RunDump, fingerprint};

/// Copies the database and its log to `copy` (so that reading changes nothing) and reads every run, oldest first.
pub async fn dump(data: &Path, copy: &Path) -> Vec<RunDump> {
    let store = copied(data, copy).await;
    let mut runs = Vec::new();
    let mut paging = Paging { limit: 200, cursor: None };
    loop {
        let page = store.list_runs(OrgId::LOCAL, &RunFilter::default(), &paging).await.unwrap();
        runs.extend(join_all(page.items.into_iter().map(|summary| run(&store, summary))).await);
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    runs.reverse();
    runs
}

/// All runs that are there as lists show them, in the same way.
pub async fn summaries(data: &Path, copy: &Path) -> Vec<RunSummary> {
    let store = copied(data, copy).await;
    let mut runs = Vec::new();
    let mut paging = Paging { limit: 200, cursor: None };
    loop {
        let page = store.list_runs(OrgId::LOCAL, &RunFilter::default(), &paging).await.unwrap();
        runs.extend(page.items);
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            return runs;
        }
    }
}

async fn copied(data: &Path, copy: &Path) -> Arc<SqliteStore> {
    std::fs::create_dir_all(copy).unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{suffix}");
        if data.join(&name).exists() {
            std::fs::copy(data.join(&name), copy.join(&name)).unwrap();
        }
    }
    let options = OpenOptions { hold_engine_lock: false, ..OpenOptions::new(copy, Arc::new(SystemClock::new())) };
    SqliteStore::open(options).await.unwrap()
}

async fn run(store: &SqliteStore, summary: RunSummary) -> RunDump {
    let header = store.header(summary.id).await.unwrap().unwrap();
    let history = store.history(summary.id).await.unwrap();
    RunDump {
        id: summary.id.to_string(),
        token: header.inputs["token"].as_str().unwrap_or_default().to_owned(),
        plan: summary.plan_name,
        status: summary.status.as_str().to_owned(),
        created_at: summary.created_at,
        due_at: header.trigger["due_at"].as_str().map(str::to_owned),
        rows: history.iter().map(row).collect(),
    }
}

fn row(event: &Event) -> Row {
    Row { seq: event.seq, at: event.at, written: event.at, kind: kind(&event.body) }
}

/// What the oracle looks at.
pub fn kind(body: &EventBody) -> RowKind {
    match body {
        EventBody::Attempted(attempted) => RowKind::Attempted {
            path: attempted.path.clone(),
            attempt: attempted.attempt,
            status: attempted.status.as_str().to_owned(),
            output: fingerprint(&attempted.output),
            keys: keys(&attempted.output),
        },
        EventBody::Waiting { path, until, .. } => RowKind::Waiting { path: path.clone(), until: *until },
        EventBody::Finished(ending) => RowKind::Finished { status: ending.status.as_str().to_owned() },
        _ => RowKind::Other,
    }
}

/// `{keys: {step: key}}`, as the gate's plans write down the keys of the steps before.
fn keys(output: &Value) -> BTreeMap<String, String> {
    let keys = output.get("keys").and_then(Value::as_object).into_iter().flatten();
    keys.filter_map(|(step, key)| Some((step.clone(), key.as_str()?.to_owned()))).collect()
}
