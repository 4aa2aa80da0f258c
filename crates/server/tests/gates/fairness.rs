//! R18: what one organization queues does not hold up another. Somebody else's starts beside ten thousand runs of one, against
//! the same in a process that is as busy and has no queue: what the processor takes is not the queue's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainspring_engine::{LoadedPlan, Start};
use mainspring_model::credential::Secret;
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::plan::load_value;
use mainspring_model::store::PlanSource;
use mainspring_server::app::App;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::clock::{now, pause};
use crate::http::world::World;
use crate::postgres::database::Database;

/// Runs of the flood: more than ten thousand, so that some still are queued when the measurement ends, however fast the store is.
const FLOOD: usize = 16_000;
/// Of them, whose acceptance is waited for together.
const AT_ONCE: usize = 2_000;
/// Runs of a full process: a few more, and it would queue what this organization starts.
const BUSY: usize = 1_700;
/// Starts of the other organization in each measurement, one after the other.
const SAMPLES: usize = 200;

fn owner(n: u128) -> Owner {
    Owner { org: OrgId(Uuid::from_u128(n)), user: UserId(Uuid::from_u128(n)) }
}

async fn plan(app: &App, owner: Owner, document: Value) -> LoadedPlan {
    let checked = load_value(document, app.engine.catalog().as_ref(), &owner).expect("a good plan");
    let record = mainspring_server::plans::create(app, owner, PlanSource::Api, &checked).await.unwrap();
    app.engine.plan(&owner, record.id, record.version).await.unwrap()
}

/// From the start of each run to its one step on disk.
async fn starts(app: &App, owner: Owner, plan: &LoadedPlan) -> Vec<Duration> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = now();
        let mut run = app.engine.start(Start::manual(owner, plan.clone(), json!({}))).await.unwrap();
        let seen = run.until(|progress| progress.ended.is_some() || progress.parked).await;
        times.push(began.elapsed());
        assert!(seen.ended.is_some(), "it was queued behind the others");
        // So that all of them span several rounds of the others, which begin and end together.
        pause(Duration::from_millis(8)).await;
    }
    times.sort_unstable();
    times
}

/// As many runs as a process takes up from the queue, none of them queued. They begin together and end together, round after round,
/// as those of a queue do that fills a process: what is compared is to have the processor in the same rhythm.
async fn beside_a_full_process(
    app: &Arc<App>,
    many: Owner,
    plan: &LoadedPlan,
    measured: impl Future<Output = Vec<Duration>>,
) -> Vec<Duration> {
    let going = Arc::new(AtomicBool::new(true));
    let (app, plan, goes_on) = (app.clone(), plan.clone(), going.clone());
    let rounds = tokio::spawn(async move {
        while goes_on.load(Ordering::Acquire) {
            let mut round = JoinSet::new();
            for _ in 0..BUSY {
                let (app, plan) = (app.clone(), plan.clone());
                round.spawn(async move { app.engine.start(Start::manual(many, plan, json!({}))).await.unwrap().settled().await });
            }
            round.join_all().await;
        }
    });
    let times = measured.await;
    going.store(false, Ordering::Release);
    rounds.await.unwrap();
    times
}

async fn ten_thousand_hold_nobody_up(app: Arc<App>) {
    let (many, few) = (owner(1), owner(2));
    // Long enough that the flood is not done before it has all come.
    let nap = |id: &str| json!({"id": id, "action": "logic.sleep", "params": {"for": "900ms"}});
    let steps = json!([{"id": "a", "action": "logic.set", "params": {"n": 1}}, nap("b"), nap("c"), nap("d"),
        {"id": "e", "action": "logic.set", "params": {"n": 2}}]);
    let flood = plan(&app, many, json!({"name": "Many", "steps": steps})).await;
    let small = plan(&app, few, json!({"name": "Few", "steps": [{"id": "a", "action": "logic.set", "params": {"n": 1}}]})).await;
    let alone = starts(&app, few, &small).await;
    let busy = beside_a_full_process(&app, many, &flood, starts(&app, few, &small)).await;
    let mut runs = Vec::with_capacity(FLOOD);
    while runs.len() < FLOOD {
        // As many at once as callers wait for: a store that has to write all of them first would let the last ones wait too long.
        let from = runs.len();
        for _ in 0..AT_ONCE.min(FLOOD - from) {
            runs.push(app.engine.start(Start::manual(many, flood.clone(), json!({}))).await.unwrap());
        }
        for run in &mut runs[from..] {
            run.accepted().await.unwrap();
        }
    }
    let beside = starts(&app, few, &small).await;
    let queued = app.store.monitoring(many.org).await.unwrap().queued;
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    let said = format!(
        "a start's p99: {:?} alone, {:?} in a full process, {:?} beside {FLOOD} runs of which {queued} still are queued",
        p99(&alone),
        p99(&busy),
        p99(&beside)
    );
    println!("R18: {said}");
    assert!(queued > 0, "the flood was over before the measurement: {said}");
    assert!(p99(&beside) <= p99(&busy).max(p99(&alone)) * 2 && p99(&beside) < Duration::from_secs(2), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_queued_runs_hold_nobody_up() {
    let world = World::dev().await.driving().await;
    ten_thousand_hold_nobody_up(world.app.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_queued_runs_hold_nobody_up_on_postgres() {
    let database = Database::make();
    let settings = Settings {
        postgres: Some(Secret::new(database.url())),
        migrate_url: Some(Secret::new(database.migrate_url())),
        dev: true,
        ..World::settings()
    };
    let world = World::with(settings).await.driving().await;
    ten_thousand_hold_nobody_up(world.app.clone()).await;
    world.app.store.close().await;
}
