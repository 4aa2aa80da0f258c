//! How long pages of the execution log and of runs take beside a million attempts, the rarest filter included; and what they cost
//! a new write, and pruning.
//!
//! `cargo run --release -p mainspring-store --example log_pages [runs of ten attempts] [folder]`

use std::sync::Arc;
use std::time::Instant;

use mainspring_model::clock::FakeClock;
use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{
    Health, JournalRow, LogFilter, LogStore, NewRun, Paging, Retention, RunFilter, RunStore, RunWrite, Standing,
};
use mainspring_store::{OpenOptions, SqliteStore};
use serde_json::{Value, json};
use uuid::Uuid;

const START: i64 = 1_700_000_000_000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = arguments.next().unwrap_or_else(|| "target/log_pages".to_owned());
    let _ = std::fs::remove_dir_all(&folder);
    let clock = FakeClock::at(START);
    let store = SqliteStore::open(OpenOptions::new(&folder, Arc::new(clock.clone()))).await.expect("the folder can be written");
    let start = now();
    // One rare plan and provider at the very beginning, so that the newest-first walk ends there.
    for from in (0..runs).step_by(5_000) {
        let tasks = (from..runs.min(from + 5_000)).map(|n| tokio::spawn(ended(Arc::clone(&store), n, n == 0)));
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no writer panics");
        }
    }
    println!("{runs} runs with {} attempts in {:.1} s", runs * 10, start.elapsed().as_secs_f64());
    let page = Paging { limit: 50, cursor: None };
    let logs = async |name: &str, filter: LogFilter| {
        let start = now();
        let found = store.list_logs(OrgId::LOCAL, &filter, &page).await.expect("a page");
        println!("log, {name}: {} rows in {:.1} ms", found.items.len(), start.elapsed().as_secs_f64() * 1e3);
        found.next_cursor
    };
    let none = LogFilter::default;
    logs("first connection", none()).await;
    logs("newest", none()).await;
    logs("rare provider", LogFilter { provider: Some("rare".to_owned()), ..none() }).await;
    logs("rare plan", LogFilter { plan: Some(plan(2)), ..none() }).await;
    logs("absent status", LogFilter { status: Some("cancelled".to_owned()), ..none() }).await;
    logs("oldest hour", LogFilter { until: Some(START + 1_000), ..none() }).await;
    logs("one run", LogFilter { run: Some(run_id(runs / 2)), ..none() }).await;
    for (name, filter) in [
        ("newest", RunFilter::default()),
        ("rare plan", RunFilter { plan: Some(plan(2)), ..RunFilter::default() }),
        ("absent status", RunFilter { status: Some(RunStatus::Error), ..RunFilter::default() }),
    ] {
        let start = now();
        let found = store.list_runs(OrgId::LOCAL, &filter, &page).await.expect("a page");
        println!("runs, {name}: {} rows in {:.1} ms", found.items.len(), start.elapsed().as_secs_f64() * 1e3);
    }
    let start = now();
    store.monitoring(OrgId::LOCAL).await.expect("totals");
    println!("monitoring in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    clock.advance_to(START + 15 * 24 * 3_600_000);
    let (start, mut batches, mut worst) = (now(), 0, 0.0_f64);
    loop {
        let one = now();
        if store.prune(&Retention::default(), 500).await.expect("pruning") == 0 {
            break;
        }
        batches += 1;
        worst = worst.max(one.elapsed().as_secs_f64() * 1e3);
    }
    println!("pruned in {:.1} s, {batches} batches of 500 runs, the longest {worst:.0} ms", start.elapsed().as_secs_f64());
    store.close().await;
    println!("file: {} bytes", std::fs::metadata(format!("{folder}/mainspring.db")).map_or(0, |meta| meta.len()));
}

fn run_id(n: u32) -> RunId {
    RunId(Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 | u128::from(n)))
}

fn plan(n: u128) -> PlanId {
    PlanId(Uuid::from_u128(n))
}

async fn ended(store: Arc<SqliteStore>, n: u32, rare: bool) {
    let header = RunHeader {
        id: run_id(n),
        owner: Owner { org: OrgId::LOCAL, user: UserId::LOCAL },
        plan_id: plan(if rare { 2 } else { 1 }),
        plan_version: 1,
        plan_name: "Pages".to_owned(),
        inputs: json!({"customer": n}),
        trigger: json!({"type": "manual"}),
        org: json!({}),
        created_at: START + i64::from(n),
        environment: "production".to_owned(),
        seed: [7; 16],
        parent: None,
    };
    let provider = if rare { "rare" } else { "http" };
    let events = (1..=10).map(|seq| JournalRow {
        seq,
        at: START + i64::from(n),
        kind: "attempted",
        body: format!(
            "{{\"kind\":\"attempted\",\"path\":\"step_{seq}\",\"attempt\":1,\"status\":\"success\",\"provider\":\"{provider}\",\
             \"action\":\"get\",\"step_number\":{seq},\"latency_us\":1234,\"output\":{{\"id\":{n},\"city\":\"Gwenborough\"}},\
             \"message\":\"GET https://api.example/users/{seq} answered 200\"}}"
        ),
        progress: true,
    });
    let ending = Ending { status: RunStatus::Success, output: Value::Null, blob: None, error: None };
    let write = RunWrite {
        run: header.id,
        epoch: store.epoch(),
        create: Some(Arc::new(NewRun {
            header: Arc::new(header),
            slot: None,
            key: None,
            flow: None,
            burst: None,
            priority: Priority::Normal,
        })),
        events: Arc::new(events.collect()),
        standing: Standing::Ended(ending),
    };
    store.commit(write).await.expect("the disk has room");
}

#[expect(clippy::disallowed_methods, reason = "a measurement of the real machine")]
fn now() -> Instant {
    Instant::now()
}
