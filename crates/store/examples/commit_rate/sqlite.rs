//! The embedded store, and its bare loop.

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::store::Health;
use mainspring_store::{OpenOptions, SqliteStore};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::runs::{STEPS, body, drive};
use crate::{cpu, now, report};

pub async fn measure(runs: u32, root: &str) {
    let rows = f64::from(runs * (STEPS + 1));
    for round in 0..4 {
        let folder = format!("{root}/{round}");
        let _ = std::fs::remove_dir_all(&folder);
        let options = OpenOptions::new(&folder, Arc::new(FakeClock::at(1_700_000_000_000)));
        let store = SqliteStore::open(options).await.expect("the folder can be written");
        if round > 0 {
            // Steady state: the write-ahead log has its size and is written over.
            drive(&store, runs.min(5_000), 1).await;
        }
        let (cpu, start) = (cpu(), now());
        drive(&store, runs, 2).await;
        report("store:", rows, cpu, start);
        store.close().await;
        if round > 0 {
            bare(&format!("{folder}/bare.db"), runs, 500).await;
        }
    }
}

/// The same tables and rows, one statement per row set, no fence and no answers.
async fn bare(file: &str, runs: u32, batch: usize) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{file}?mode=rwc")).await.expect("the file can be made");
    let setup = "pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384; \
                 pragma wal_autocheckpoint = 4000; pragma foreign_keys = off;";
    connection.execute(setup).await.expect("pragmas");
    connection.execute(include_str!("../../migrations/sqlite/0001_runs.sql")).await.expect("tables");
    let rows: Vec<(u32, u32)> = (0..=STEPS).flat_map(|seq| (0..runs).map(move |run| (run, seq + 1))).collect();
    for warm in [true, false] {
        let offset = if warm { 0 } else { i64::from(runs) };
        let (cpu, start) = (cpu(), now());
        for some in rows.chunks(batch) {
            connection.execute(sqlx::query("begin immediate")).await.expect("begin");
            for few in some.chunks(100) {
                let list = vec!["(?,?,?,?,?,?,?,?)"; few.len()].join(",");
                let sql = format!("insert into journal (run_no, seq, at, org_no, plan_no, provider, status, body) values {list}");
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                for (run, seq) in few {
                    query = query.bind(i64::from(*run) + offset).bind(i64::from(*seq)).bind(1_700_000_000_000_i64 + i64::from(*seq));
                    query = query.bind(1_i64).bind(1_i64).bind("http").bind("success").bind(body(*seq, u64::from(*run)));
                }
                query.execute(&mut connection).await.expect("rows");
            }
            connection.execute(sqlx::query("commit")).await.expect("commit");
        }
        if !warm {
            report("bare: ", rows.len() as f64, cpu, start);
        }
    }
}
