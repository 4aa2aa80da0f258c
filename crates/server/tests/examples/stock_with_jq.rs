//! `stock-with-jq.yaml`: a query in a process apart, its result recorded as any other.

use mainspring_model::run::StepStatus::Success;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "stock-with-jq.yaml";

#[tokio::test]
async fn what_runs_low_is_grouped_by_supplier() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({})).await;
    assert_eq!(run.statuses(), [("low", Success)]);
    assert_eq!(
        run.output(),
        &json!([
            {"supplier": "Nord", "order": [
                {"sku": "1234", "missing": 10, "shelves": ["A2"]}, {"sku": "4711", "missing": 5, "shelves": ["A1", "A2"]},
            ]},
            {"supplier": "Süd", "order": [{"sku": "9000", "missing": 1, "shelves": ["B1"]}]},
        ])
    );
    let run = world.run(&plan, json!({"least": 3})).await;
    assert_eq!(run.output(), &json!([{"supplier": "Nord", "order": [{"sku": "1234", "missing": 3, "shelves": ["A2"]}]}]));
}
