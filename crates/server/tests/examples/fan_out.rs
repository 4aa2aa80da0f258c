//! `fan-out.yaml`: a thousand requests, as many at a time as it says and no more, each exactly once.

use std::collections::BTreeSet;

use mainspring_model::run::StepStatus::Success;
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{Items, price};

pub const PLAN: &str = "fan-out.yaml";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_items_are_asked_for_sixty_four_at_a_time() {
    let (count, together) = (1_000, 64);
    let shop = Items::start(count, together).await;
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"service": shop.server.url("")})).await;

    let prices: Vec<u64> = (0..1_000).map(price).collect();
    assert_eq!(run.output(), &json!({"items": count, "cents": prices.iter().sum::<u64>(), "dearest": prices.iter().max()}));
    assert_eq!(run.statuses()[..2], [("fetch", Success), ("sum", Success)]);
    // The loop and the sum, and a unit for each item with one attempt of its own.
    assert_eq!(run.steps.len(), 2 + count);
    assert_eq!((run.count("opened"), run.count("attempted")), (1, count + 1));
    let outputs: Vec<Value> = (0..1_000).map(|id| json!({"id": id, "price_cents": price(id)})).collect();
    assert_eq!(run.step("fetch").output, Value::Array(outputs), "in the order of the items");
    for id in 0..count {
        let unit = run.step(&format!("fetch[{id}]"));
        assert_eq!((unit.status, unit.attempts.len(), &unit.output["id"]), (Success, 1, &json!(id)));
    }

    let asked = shop.server.asked();
    let ids: BTreeSet<String> = asked.iter().filter_map(|asked| asked.query("id")).collect();
    assert_eq!((asked.len(), ids.len(), shop.most()), (count, count, together));
    assert!(asked.iter().all(|asked| asked.line() == "GET /item"));
}

#[tokio::test]
async fn no_items_are_an_empty_list() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    // Nobody listens there, and nobody is asked.
    let run = world.run(&plan, json!({"service": "http://127.0.0.1:9", "count": 0})).await;
    assert_eq!(run.output(), &json!({"items": 0, "cents": 0, "dearest": null}));
    assert_eq!(run.step("fetch").output, json!([]));
}
