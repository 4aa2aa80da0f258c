//! `settled-order.yaml` and `changed-files.yaml`: firings that come close together and make one run.

use mainspring_engine::triggers::{self, Sight};
use mainspring_engine::{LoadedPlan, Start};
use mainspring_model::burst::{Gathered, HeldFor};
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use serde_json::{Value, json};

use super::world::World;

pub const SETTLED: &str = "settled-order.yaml";
pub const CHANGED: &str = "changed-files.yaml";

const START: i64 = 1_800_000_000_000;

/// As the trigger's own kind does it.
async fn fire(world: &World, clock: &FakeClock, plan: &LoadedPlan, mut seen: Value) -> RunId {
    clock.advance_to(clock.now() + 1);
    let trigger = &plan.plan.triggers[0];
    seen["id"] = json!(trigger.id);
    let sight = Sight { trigger: &seen, org: &json!({}), now: clock.now() };
    let (inputs, burst) = triggers::fired(plan.id, &plan.plan, trigger, sight).unwrap().unwrap();
    let start = Start { trigger: seen, burst, ..Start::manual(Owner::LOCAL, plan.clone(), inputs) };
    let run = world.app.engine.start(start).await.unwrap().accepted().await.unwrap();
    drive(world).await;
    run
}

async fn drive(world: &World) {
    world.app.engine.close_bursts().await.unwrap();
    while world.app.engine.claim_once().await.unwrap() > 0 {
        world.app.engine.idle().await;
    }
}

async fn later(world: &World, clock: &FakeClock, seconds: i64) {
    clock.advance_to(clock.now() + seconds * 1_000);
    drive(world).await;
}

#[tokio::test]
async fn an_order_is_settled_once() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(SETTLED).await;
    let change = |order: u32, items: u32| json!({"type": "webhook", "body": {"order": order, "items": items}});
    let first = fire(&world, &clock, &plan, change(7, 2)).await;
    later(&world, &clock, 4).await;
    let second = fire(&world, &clock, &plan, change(7, 3)).await;
    let other = fire(&world, &clock, &plan, change(8, 1)).await;
    later(&world, &clock, 4).await;
    let seen = world.app.store.get_run(Owner::LOCAL.org, first).await.unwrap().unwrap();
    assert_eq!(seen.status, RunStatus::Queued, "it was changed four seconds ago");
    assert_eq!(seen.held_for, Some(HeldFor { by: Gathered::Debounce, until: clock.now() + 1_000 - 1 }));
    later(&world, &clock, 1).await;
    assert_eq!(world.ended(second).await.output(), &json!({"order": 7, "items": 3, "total": 37.5}));
    assert_eq!(world.ended(first).await.output(), &json!({"debounced_into": second}));
    assert_eq!(world.ended(other).await.output(), &json!({"order": 8, "items": 1, "total": 12.5}));
    let by_hand = world.run(&plan, json!({"order": 7, "items": 1})).await;
    assert_eq!(by_hand.output()["total"], 12.5, "a run by hand waits for nobody");
}

#[tokio::test]
async fn files_that_change_together_are_built_once() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(CHANGED).await;
    let file = |repo: &str, path: &str| json!({"type": "event", "event": {"type": "file.changed", "data": {"repo": repo, "path": path}}});
    let first = fire(&world, &clock, &plan, file("docs", "a.md")).await;
    let second = fire(&world, &clock, &plan, file("docs", "b.md")).await;
    let other = fire(&world, &clock, &plan, file("site", "c.md")).await;
    later(&world, &clock, 5).await;
    assert_eq!(world.ended(first).await.output(), &json!({"count": 2, "files": ["a.md", "b.md"]}));
    assert_eq!(world.ended(second).await.output(), &json!({"batched_into": first}));
    assert_eq!(world.ended(other).await.output(), &json!({"count": 1, "files": ["c.md"]}));
    let header = world.app.store.header(first).await.unwrap().unwrap();
    assert_eq!((&header.trigger["id"], &header.trigger["type"]), (&json!("changed"), &json!("event")));
    assert_eq!(header.trigger["batch"][1]["event"]["data"]["path"], "b.md");
    // A hundred of them do not wait.
    let mut runs = Vec::new();
    for n in 0..100 {
        runs.push(fire(&world, &clock, &plan, file("docs", &format!("{n}.md"))).await);
    }
    assert_eq!(world.ended(runs[0]).await.output()["count"], 100);
}

/// What a batch gives is looked at when it closes, and what does not fit its plan ends the run that says so.
#[tokio::test]
async fn a_batch_that_does_not_fit_says_so() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(CHANGED).await;
    let odd = |path: Value| json!({"type": "event", "event": {"type": "file.changed", "data": {"repo": "docs", "path": path}}});
    let first = fire(&world, &clock, &plan, odd(json!(7))).await;
    let second = fire(&world, &clock, &plan, odd(json!("b.md"))).await;
    later(&world, &clock, 5).await;
    let ended = world.ended(first).await;
    let fault = ended.ending.error.clone().unwrap();
    assert_eq!((ended.ending.status, fault.code.as_str()), (RunStatus::Error, "INVALID_INPUT"), "{fault:?}");
    assert!(fault.message.contains("/files/0") || fault.message.contains("files"), "{}", fault.message);
    assert_eq!(world.ended(second).await.output(), &json!({"batched_into": first}));
}

#[tokio::test]
async fn a_firing_that_is_cancelled_leaves_its_burst() {
    let clock = FakeClock::at(START);
    let world = World::at(clock.clone()).await;
    let plan = world.save(SETTLED).await;
    let change = |items: u32| json!({"type": "webhook", "body": {"order": 7, "items": items}});
    let first = fire(&world, &clock, &plan, change(2)).await;
    let second = fire(&world, &clock, &plan, change(3)).await;
    assert!(world.app.engine.cancel(Owner::LOCAL.org, second, "somebody").await.unwrap());
    drive(&world).await;
    let ended = world.ended(second).await.ending;
    assert_eq!((ended.status, ended.error.unwrap().code.as_str()), (RunStatus::Cancelled, "CANCELLED"));
    later(&world, &clock, 5).await;
    assert_eq!(world.ended(first).await.output()["items"], 2);
}
