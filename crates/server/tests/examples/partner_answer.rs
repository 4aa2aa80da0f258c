//! `partner-answer.yaml`: an address that a partner answers at, and what becomes of the run when nobody does.

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::Owner;
use mainspring_model::run::StepStatus::{NotReached, Success};
use mainspring_model::wait::callback_topic;
use serde_json::{Value, json};

use super::world::World;

pub const PLAN: &str = "partner-answer.yaml";

#[tokio::test]
async fn the_answer_goes_on() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let handle = world.start(&plan, Value::Null).await;
    world.app.engine.idle().await;
    let open = world.app.store.list_waits(Owner::LOCAL.org, &callback_topic(""), 9).await.unwrap();
    world.app.engine.answer(Owner::LOCAL.org, &open[0].topic, json!({"price": 12})).await.unwrap();
    assert_eq!(world.app.engine.claim_once().await.unwrap(), 1);
    let run = world.ended(handle.id).await;
    assert_eq!(run.statuses(), [("address", Success), ("offer", Success), ("answered", Success), ("silent", NotReached)]);
}

#[tokio::test]
async fn silence_ends_after_a_day() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    let handle = world.start(&plan, Value::Null).await;
    world.app.engine.idle().await;
    world.go_on_at(&clock, clock.now() + 86_400_000).await;
    assert_eq!(world.ended(handle.id).await.output(), &json!({"answer": null}));
}
