//! `invoice-numbers.yaml`: numbers that nobody else gets, and counts that add up, of runs side by side.

use std::collections::BTreeSet;

use mainspring_model::id::Owner;
use mainspring_model::store::StateSpace;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "invoice-numbers.yaml";

#[tokio::test]
async fn no_two_invoices_get_one_number() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let mut handles = Vec::new();
    for n in 0..12 {
        handles.push(world.start(&plan, json!({"customer": if n % 3 == 0 { "Ada" } else { "Ben" }})).await);
    }
    let mut numbers = BTreeSet::new();
    for handle in handles {
        let run = world.ended(handle.id).await;
        assert!(numbers.insert(run.output()["number"].as_str().unwrap().to_owned()), "{numbers:?}");
    }
    assert_eq!(numbers.len(), 12);
    assert!(numbers.contains("2026-1") && numbers.contains("2026-12"), "{numbers:?}");
    let space = StateSpace { org: Owner::LOCAL.org, plan: None };
    let of = async |key: &str| world.app.store.state(space, key).await.unwrap().map(|record| record.value);
    assert_eq!((of("customers/Ada").await, of("customers/Ben").await), (Some(json!(4)), Some(json!(8))));
    assert_eq!(of("invoices/2026").await, Some(json!(12)));
    let run = world.run(&plan, json!({"customer": "Ada", "year": 2027})).await;
    assert_eq!(run.output(), &json!({"number": "2027-1", "shown": "1", "of_customer": 5}));
}
