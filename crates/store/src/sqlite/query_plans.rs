//! How SQLite goes about the queries that must stay fast with a million rows: which index, and no sorting.

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::id::PlanId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::RunFilter;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::{DATABASE_FILE, OpenOptions, SqliteStore, bursts, claims, flow, logs, places, runs, schedules};

/// The steps of a query, as `explain query plan` names them.
async fn steps(sql: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(OpenOptions::new(folder.path(), Arc::new(FakeClock::at(0)))).await.unwrap();
    let mut beside = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join(DATABASE_FILE)).connect().await.unwrap();
    let rows = sqlx::query(AssertSqlSafe(format!("explain query plan {sql}"))).fetch_all(&mut beside).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

async fn goes_by(sql: &str, indexes: &[&str]) {
    let steps = steps(sql).await;
    for index in indexes {
        assert!(steps.contains(index), "{sql}\ndoes not go by {index}:\n{steps}");
    }
    for line in steps.lines() {
        // Small lists that the query itself makes may be scanned and sorted; tables may not.
        let scans = line.starts_with("SCAN ") && ["runs", "journal", " r", " j", " s"].iter().any(|table| line.ends_with(table));
        assert!(!scans, "{sql}\nscans:\n{steps}");
    }
}

async fn sorts_nothing(sql: &str) {
    let steps = steps(sql).await;
    assert!(!steps.contains("TEMP B-TREE"), "{sql}\nsorts:\n{steps}");
}

#[tokio::test]
async fn runs_are_listed_from_the_newest_end() {
    let plan = RunFilter { plan: Some(PlanId(uuid::Uuid::nil())), ..RunFilter::default() };
    let failed = RunFilter { status: Some(RunStatus::Error), ..RunFilter::default() };
    let well = RunFilter { status: Some(RunStatus::Success), ..RunFilter::default() };
    for (filter, index) in [
        (RunFilter::default(), "runs_by_org (org_no=? AND created_at"),
        (well, "runs_by_org (org_no=? AND created_at"),
        (plan, "runs_by_plan (plan_no=? AND created_at"),
        (failed, "runs_by_status (status=? AND org_no=? AND created_at"),
    ] {
        goes_by(runs::list_text(&filter), &[index]).await;
    }
    sorts_nothing(runs::list_text(&RunFilter::default())).await;
    sorts_nothing(runs::list_text(&failed_filter())).await;
}

fn failed_filter() -> RunFilter {
    RunFilter { status: Some(RunStatus::Error), ..RunFilter::default() }
}

#[tokio::test]
async fn admissions_go_by_the_runs_of_their_key() {
    goes_by(flow::LIVE, &["runs_flow (org_no=? AND flow_key=? AND flow_state=?)"]).await;
    goes_by(flow::HELD, &["runs_flow (org_no=? AND flow_key=? AND flow_state=?)"]).await;
    sorts_nothing(flow::HELD).await;
    goes_by(flow::HELD_KEYS, &["runs_flow_held"]).await;
}

#[tokio::test]
async fn bursts_go_by_when_they_are_due_and_by_their_firings() {
    goes_by(bursts::DUE, &["bursts_by_due"]).await;
    sorts_nothing(bursts::DUE).await;
    goes_by(bursts::FIRINGS, &["runs_burst (org_no=? AND burst_key=?)"]).await;
    sorts_nothing(bursts::FIRINGS).await;
}

#[tokio::test]
async fn places_go_by_the_runs_of_their_organization() {
    goes_by(places::AT_WORK, &["runs_by_status (status=? AND org_no=?)"]).await;
    goes_by(places::LINE, &["runs_set_aside (org_no=?)"]).await;
    sorts_nothing(places::LINE).await;
    goes_by(places::SET_ASIDE, &["runs_set_aside"]).await;
}

#[tokio::test]
async fn the_log_walks_one_index() {
    goes_by(logs::OF_ORG, &["journal_attempts (org_no=? AND at"]).await;
    sorts_nothing(logs::OF_ORG).await;
    goes_by(logs::OF_RUN, &["journal_of_run (run_no=?)"]).await;
}

#[tokio::test]
async fn claims_and_schedules_go_by_what_is_due() {
    goes_by(claims::DUE, &["runs_due (status=? AND due_at>?)", "runs_due (status=? AND due_at<?)"]).await;
    goes_by(schedules::DUE, &["schedules_due (next_due<?)"]).await;
    goes_by(schedules::LISTENER, &["schedules_by_rule (org_id=? AND expression=?)"]).await;
}
