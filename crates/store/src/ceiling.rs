//! The ceiling that the bench measures itself against: a bare loop that inserts the same journal rows and answers nobody.

use std::path::Path;
use std::time::Instant;

use mainspring_model::store::{JournalRow, StoreError};
use sqlx::{Connection, Executor, SqliteConnection};

/// Seconds that the loop takes for `runs` runs of these rows, `batch` rows to a transaction with full sync, in a new database.
/// The rows of one run are written one after the other, as a driver that hands over a whole run writes them.
///
/// # Errors
/// The database's, as text.
pub async fn insert_rows(file: &Path, runs: u32, rows: &[JournalRow], batch: usize) -> Result<f64, StoreError> {
    let failed = |error: sqlx::Error| StoreError::Failed(error.to_string());
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.map_err(failed)?;
    let setup = "pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384; \
                 pragma wal_autocheckpoint = 4000; pragma foreign_keys = off;";
    connection.execute(setup).await.map_err(failed)?;
    connection.execute(include_str!("../migrations/sqlite/0001_runs.sql")).await.map_err(failed)?;
    let all: Vec<(u32, &JournalRow)> = (0..runs).flat_map(|run| rows.iter().map(move |row| (run, row))).collect();
    let began = now();
    for some in all.chunks(batch.max(1)) {
        connection.execute(sqlx::query("begin immediate")).await.map_err(failed)?;
        for few in some.chunks(100) {
            let list = vec!["(?,?,?,?,?,?,?,?)"; few.len()].join(",");
            let sql = format!("insert into journal (run_no, seq, at, org_no, plan_no, provider, status, body) values {list}");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for (run, row) in few {
                query = query.bind(i64::from(*run)).bind(i64::from(row.seq)).bind(row.at).bind(1_i64).bind(1_i64);
                query = query.bind("logic").bind("success").bind(row.body.as_str());
            }
            query.execute(&mut connection).await.map_err(failed)?;
        }
        connection.execute(sqlx::query("commit")).await.map_err(failed)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    connection.close().await.map_err(failed)?;
    Ok(seconds)
}

#[expect(clippy::disallowed_methods, reason = "a measurement of the real machine")]
fn now() -> Instant {
    Instant::now()
}
