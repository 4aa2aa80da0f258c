//! `order.yaml`: a run that waits for an event and for a person, and what becomes of it when neither comes.

use mainspring_engine::RunHandle;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{Owner, SignalId};
use mainspring_model::run::StepStatus::{NotReached, Success};
use mainspring_model::wait::{approval_topic, event_topic};
use serde_json::{Value, json};

use super::world::World;

pub const PLAN: &str = "order.yaml";
const DAY: i64 = 86_400_000;

async fn started(world: &World) -> RunHandle {
    let plan = world.save(PLAN).await;
    let handle = world.start(&plan, json!({"order": 7})).await;
    world.app.engine.idle().await;
    handle
}

/// Tells of a payment; how many runs looked at it.
async fn pays(world: &World, order: u32) -> usize {
    let id = SignalId(world.app.engine.new_id());
    let data = json!({"order": order, "cents": 12_000});
    let told = world.app.engine.tell_event(Owner::LOCAL.org, id, "invoice.paid", data).await.unwrap();
    let taken = world.app.engine.claim_once().await.unwrap();
    world.app.engine.idle().await;
    assert_eq!(taken, told.woken.len());
    taken
}

async fn answers(world: &World, approved: bool) {
    let open = world.app.store.list_waits(Owner::LOCAL.org, &approval_topic(""), 9).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].detail["message"], "Order 7 is paid (12000 cents). Ship it?");
    let answer = json!({"approved": approved, "by": "ada@example.com", "comment": "", "form": {"carrier": "post"}});
    world.app.engine.answer(Owner::LOCAL.org, &open[0].topic, answer).await.unwrap();
    assert_eq!(world.app.engine.claim_once().await.unwrap(), 1);
    world.app.engine.idle().await;
}

#[tokio::test]
async fn it_ships_what_was_paid_and_agreed_to() {
    let world = World::open().await;
    let handle = started(&world).await;
    assert_eq!(pays(&world, 8).await, 0, "another order's payment wakes nobody");
    assert_eq!(pays(&world, 7).await, 1);
    answers(&world, true).await;
    let run = world.ended(handle.id).await;
    let expected = [("paid", Success), ("ask", Success), ("shipped", Success), ("kept_back", NotReached), ("never_paid", NotReached)];
    assert_eq!(run.statuses(), expected);
    assert_eq!(run.step("ask").message, "approved by ada@example.com");
    let told = world.app.store.signals(Owner::LOCAL.org, &event_topic("order.shipped"), 0, None, 9).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].data, json!({"order": 7, "carrier": "post"}));
    let left = world.app.store.list_waits(Owner::LOCAL.org, "", 9).await.unwrap();
    assert_eq!(left, [], "nothing is left behind");
}

#[tokio::test]
async fn what_is_turned_down_is_kept_back() {
    let world = World::open().await;
    let handle = started(&world).await;
    assert_eq!(pays(&world, 7).await, 1);
    answers(&world, false).await;
    assert_eq!(world.ended(handle.id).await.output(), &json!({"order": 7, "state": "kept back"}));
}

#[tokio::test]
async fn one_that_nobody_pays_ends_after_two_weeks() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let handle = started(&world).await;
    world.go_on_at(&clock, clock.now() + 14 * DAY).await;
    let run = world.ended(handle.id).await;
    assert_eq!((run.output(), run.step("paid").output.clone()), (&json!({"order": 7, "state": "never paid"}), Value::Null));
}
