//! `shop-feed.yaml`: XML and dates of another time zone become a list, again and again.

use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::Owner;
use mainspring_model::run::StepStatus::Success;
use mainspring_model::store::{Paging, RunFilter};
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "shop-feed.yaml";

#[tokio::test]
async fn a_feed_is_joined_with_what_is_in_stock() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({})).await;
    assert_eq!(run.statuses(), ["read", "made", "week", "joined", "title"].map(|step| (step, Success)));
    assert_eq!(
        run.output(),
        &json!({
            // It was made on the last of March in UTC, and on the first of April in Oslo.
            "title": "Week 14 from 2026-03-30: 2 offers", "month": 4,
            "offers": [{"sku": "K-1", "name": "Kettle 1.7 l", "left": 4}, {"sku": "C-2", "name": "Café cups"}],
        })
    );
    let one = "<offers made='2026-01-01T00:00:00Z'><offer sku='A'><name>A</name></offer></offers>";
    let run = world.run(&plan, json!({"feed": one, "stock": []})).await;
    assert_eq!(run.output()["title"], "Week 1 from 2025-12-29: 1 offers", "one offer is a list, too");
}

#[tokio::test]
async fn it_runs_every_six_hours() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let plan = world.save(PLAN).await;
    for wanted in [0, 1, 2] {
        world.app.engine.fire_due().await.unwrap();
        world.app.engine.idle().await;
        let filter = RunFilter { plan: Some(plan.id), ..RunFilter::default() };
        let runs = world.app.store.list_runs(Owner::LOCAL.org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
        assert_eq!(runs.len(), wanted);
        clock.advance_to(clock.now() + 6 * 3_600_000);
    }
}
