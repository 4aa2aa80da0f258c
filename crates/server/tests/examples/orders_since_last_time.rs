//! `orders-since-last-time.yaml`: a cursor that moves on with the run's success, and what the run before gave.

use serde_json::{Value, json};

use super::world::World;

pub const PLAN: &str = "orders-since-last-time.yaml";

#[tokio::test]
async fn each_order_is_taken_once() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, Value::Null).await;
    assert_eq!(run.output(), &json!({"orders": 3, "cents": 1649, "before": null}));
    assert_eq!(run.step("cursor").output, json!(0));
    let run = world.run(&plan, Value::Null).await;
    assert_eq!((&run.output()["orders"], &run.output()["before"]), (&json!(0), &json!(3)));
    assert_eq!(run.step("cursor").output, json!(140));
    let later = json!({"orders": [{"id": 3, "changed": 140, "cents": 99}, {"id": 4, "changed": 150, "cents": 7}]});
    let run = world.run(&plan, later).await;
    assert_eq!(run.output(), &json!({"orders": 1, "cents": 7, "before": 0}));
    let header = world.app.store.header(run.id).await.unwrap().unwrap();
    assert_eq!(header.trigger["run_previous"]["status"], "success", "what it saw is part of what it was born with");
}
