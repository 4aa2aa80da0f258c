//! How many journal rows a second group commit takes: 5,000 runs, each made, ten awaited steps, ended; beside a bare loop
//! that inserts the same rows in transactions of the same size and answers nobody.
//!
//! `cargo run --release -p mainspring-store --example commit_rate [runs] [folder]`

use std::sync::Arc;
use std::time::Instant;

use mainspring_model::clock::FakeClock;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{Committed, Health, JournalRow, NewRun, RunStore, RunWrite, Standing};
use mainspring_store::{OpenOptions, SqliteStore};
use serde_json::json;
use sqlx::{Connection, Executor, SqliteConnection};
use uuid::Uuid;

const STEPS: u32 = 10;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let root = arguments.next().unwrap_or_else(|| "target/commit_rate".to_owned());
    let rows = f64::from(runs * (STEPS + 1));
    let commits = f64::from(runs * (STEPS + 2));
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
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), self::cpu() - cpu);
        println!(
            "store: {seconds:.3} s, {:.0} rows/s, {:.0} commit() calls/s, {:.2} us of CPU a row",
            rows / seconds,
            commits / seconds,
            cpu * 1e6 / rows
        );
        store.close().await;
        if round > 0 {
            bare(&format!("{folder}/bare.db"), runs, 500).await;
        }
    }
}

async fn drive(store: &Arc<SqliteStore>, runs: u32, salt: u128) {
    let tasks: Vec<_> = (0..runs).map(|n| tokio::spawn(one(Arc::clone(store), salt << 32 | u128::from(n)))).collect();
    for task in tasks {
        task.await.expect("no driver panics");
    }
}

/// One run, as the engine writes it when every step waits for the disk.
async fn one(store: Arc<SqliteStore>, n: u128) {
    let run = RunId(Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 | n));
    let header = RunHeader {
        id: run,
        owner: Owner { org: OrgId::LOCAL, user: UserId::LOCAL },
        plan_id: PlanId(Uuid::from_u128(7)),
        plan_version: 1,
        plan_name: "Rate".to_owned(),
        inputs: json!({"customer": 17}),
        trigger: json!({"type": "manual"}),
        org: json!({}),
        created_at: 1_700_000_000_000,
        environment: "production".to_owned(),
        seed: [7; 16],
        parent: None,
    };
    let epoch = store.epoch();
    let write = |create, events: Vec<JournalRow>, standing| RunWrite { run, epoch, create, events: Arc::new(events), standing };
    let new = Arc::new(NewRun { header: Arc::new(header), slot: None, key: None });
    done(store.commit(write(Some(new), vec![], Standing::Running)).await);
    for step in 0..STEPS {
        done(store.commit(write(None, vec![row(step + 1, "attempted", body(step, n as u64), true)], Standing::Running)).await);
    }
    let ending = Ending { status: RunStatus::Success, output: json!({"ok": true}), blob: None, error: None };
    let body = r#"{"kind":"finished","status":"success","output":{"ok":true},"error":null}"#.to_owned();
    done(store.commit(write(None, vec![row(STEPS + 1, "finished", body, false)], Standing::Ended(ending))).await);
}

fn done(committed: Result<Committed, mainspring_model::store::StoreError>) {
    assert_eq!(committed.expect("the disk has room"), Committed::Done);
}

fn row(seq: u32, kind: &'static str, body: String, progress: bool) -> JournalRow {
    JournalRow { seq, at: 1_700_000_000_000 + i64::from(seq), kind, body, progress }
}

fn body(step: u32, n: u64) -> String {
    format!(
        "{{\"kind\":\"attempted\",\"path\":\"step_{step}\",\"attempt\":1,\"status\":\"success\",\"provider\":\"http\",\"action\":\"get\",\
         \"step_number\":{step},\"latency_us\":1234,\"output\":{{\"status\":200,\"body\":{{\"id\":{n},\"name\":\"Leanne \\\"Graham\\\"\",\
         \"email\":\"x@y.example\",\"city\":\"Gwenborough\"}}}},\"message\":\"GET https://api.example/users/{step} answered 200\"}}"
    )
}

/// The same tables and rows, one statement per row set, no fence and no answers.
async fn bare(file: &str, runs: u32, batch: usize) {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{file}?mode=rwc")).await.expect("the file can be made");
    let setup = "pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384; \
                 pragma wal_autocheckpoint = 4000; pragma foreign_keys = off;";
    connection.execute(setup).await.expect("pragmas");
    connection.execute(include_str!("../migrations/sqlite/0001_runs.sql")).await.expect("tables");
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
            let (seconds, cpu) = (start.elapsed().as_secs_f64(), self::cpu() - cpu);
            let count = rows.len() as f64;
            println!("bare:  {seconds:.3} s, {:.0} rows/s, {:.2} us of CPU a row", count / seconds, cpu * 1e6 / count);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement of the real machine")]
fn now() -> Instant {
    Instant::now()
}

/// CPU seconds of this process, both kinds; 0 where the system does not tell.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
