//! `nightly-import.yaml`, `latest-build.yaml`, `order-and-payment.yaml` and `urgent-alert.yaml`: limits on live runs, each with its policy;
//! `spread-the-work.yaml`: a limit on calls in a time.

use mainspring_engine::{LoadedPlan, Start};
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{EventFilter, Paging};
use serde_json::{Value, json};

use super::world::World;

pub const IMPORT: &str = "nightly-import.yaml";
pub const BUILD: &str = "latest-build.yaml";
pub const ORDER: &str = "order-and-payment.yaml";
pub const ALERT: &str = "urgent-alert.yaml";
pub const SPREAD: &str = "spread-the-work.yaml";

const START: i64 = 1_800_000_000_000;

/// Drives what is due until nothing is.
async fn drive(world: &World) {
    while world.app.engine.claim_once().await.unwrap() > 0 {
        world.app.engine.idle().await;
    }
}

async fn start(world: &World, plan: &LoadedPlan, inputs: Value) -> RunId {
    let id = world.start(plan, inputs).await.id;
    drive(world).await;
    id
}

async fn status(world: &World, run: RunId) -> RunStatus {
    world.app.store.get_run(Owner::LOCAL.org, run).await.unwrap().unwrap().status
}

async fn later(world: &World, clock: &FakeClock, seconds: i64) {
    clock.advance_to(clock.now() + seconds * 1_000);
    drive(world).await;
}

#[tokio::test]
async fn imports_of_one_customer_take_turns() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(IMPORT).await;
    let first = start(&world, &plan, json!({"customer": "acme", "seconds": 60})).await;
    let second = start(&world, &plan, json!({"customer": "acme", "seconds": 60})).await;
    let other = start(&world, &plan, json!({"customer": "umbrella", "seconds": 60})).await;
    let seen = [status(&world, first).await, status(&world, second).await, status(&world, other).await];
    assert_eq!(seen, [RunStatus::Waiting, RunStatus::Queued, RunStatus::Waiting]);
    later(&world, &clock, 60).await;
    assert_eq!(world.ended(first).await.output(), &json!({"customer": "acme", "orders": 2}));
    assert_eq!(status(&world, second).await, RunStatus::Waiting);
    later(&world, &clock, 60).await;
    assert_eq!(world.ended(second).await.output(), &json!({"customer": "acme", "orders": 2}));
}

#[tokio::test]
async fn the_newest_build_takes_the_place_of_the_others() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(BUILD).await;
    let first = start(&world, &plan, json!({"seconds": 60})).await;
    let second = start(&world, &plan, json!({"seconds": 60})).await;
    let gone = world.ended(first).await;
    assert_eq!(gone.ending.status, RunStatus::Cancelled);
    assert_eq!(gone.step("tidy").output["after"], "cancelled", "its finally runs");
    assert_eq!(status(&world, second).await, RunStatus::Waiting);
    later(&world, &clock, 60).await;
    assert_eq!(world.ended(second).await.output(), &json!({"branch": "main", "built": true}));
}

#[tokio::test]
async fn the_second_webhook_is_told_to_the_run_of_the_first() {
    let world = World::at(FakeClock::at(START)).await;
    let plan = world.save(ORDER).await;
    let hook = |id: &str, body: Value| Start {
        trigger: json!({"id": id, "type": "webhook", "body": body}),
        ..Start::manual(Owner::LOCAL, plan.clone(), json!({}))
    };
    let payment = world.app.engine.start(hook("payment", json!({"order": 7, "sum": 12}))).await.unwrap().accepted().await.unwrap();
    let order = world.app.engine.start(hook("order", json!({"order": 7, "item": "book"}))).await.unwrap().accepted().await.unwrap();
    drive(&world).await;
    assert_eq!(world.ended(payment).await.output(), &json!({"item": "book", "paid": 12}), "it came before its run began to wait");
    assert_eq!(world.ended(order).await.output(), &json!({"delivered_to": payment}));
}

#[tokio::test]
async fn an_alert_is_told_once_at_a_time() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(ALERT).await;
    let first = start(&world, &plan, json!({"seconds": 60})).await;
    let second = start(&world, &plan, json!({"seconds": 60})).await;
    let skipped = world.ended(second).await;
    let fault = skipped.ending.error.clone().unwrap();
    assert_eq!(
        (skipped.ending.status, fault.code.as_str(), &fault.details),
        (RunStatus::Cancelled, "CONCURRENCY_LIMIT", &Some(json!({"run": first})))
    );
    later(&world, &clock, 60).await;
    assert_eq!(world.ended(first).await.output(), &json!({"text": "db-1 is in trouble"}));
    let third = start(&world, &plan, json!({})).await;
    assert_eq!(world.ended(third).await.ending.status, RunStatus::Success);
}

/// Three runs at once, with five calls each: two begin in a window, in whatever run, until all have.
#[tokio::test]
async fn no_window_has_more_calls_than_its_limit_over_all_runs() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(SPREAD).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(start(&world, &plan, json!({"orders": [1, 2, 3, 4, 5]})).await);
    }
    let told = async |world: &World| {
        let filter = EventFilter { event_type: Some("order.ready".to_owned()), ..EventFilter::default() };
        world.app.store.list_events(Owner::LOCAL.org, &filter, &Paging { limit: 200, cursor: None }).await.unwrap().items.len()
    };
    // A window is a tenth longer than the plan says: two calls may be that much closer on the way.
    const STEP: i64 = 12;
    let mut moments = Vec::new();
    for _ in 0..20 {
        let before = moments.len();
        moments.resize(told(&world).await, clock.now());
        assert!(moments.len() - before <= 2, "{moments:?}");
        if moments.len() == 15 {
            break;
        }
        later(&world, &clock, STEP).await;
    }
    assert_eq!(moments.len(), 15);
    for two in moments.windows(3) {
        assert!(two[2] - two[0] >= 10_000, "{moments:?}");
    }
    for run in runs {
        assert_eq!(world.ended(run).await.output(), &json!({"told": 5}));
    }
}
