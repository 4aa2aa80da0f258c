//! `quick-look.yaml`, `positions-report.yaml` and `ledger-positions.yaml`: pattern documents as plans.

use mainspring_model::run::StepStatus::{Skipped, Success};
use serde_json::json;

use super::world::World;

pub const QUICK_LOOK: &str = "quick-look.yaml";
pub const REPORT: &str = "positions-report.yaml";
pub const POSITIONS: &str = "ledger-positions.yaml";

#[tokio::test]
async fn a_pattern_runs_as_a_plan() {
    let world = World::open().await;
    let plan = world.save(QUICK_LOOK).await;
    let context = json!({"pricing_pack_id": "PP_1"});
    let run = world.run(&plan, json!({"ctx": context})).await;
    assert_eq!(run.statuses(), [("valued", Success), ("details", Skipped)]);
    assert_eq!((&run.output()["valued"]["pack"], &run.output()["details"]), (&json!("PP_1"), &json!(null)));
    let run = world.run(&plan, json!({"ctx": context, "deep": true})).await;
    assert_eq!(run.output()["details"], json!({"first": "ABC", "note": null}));
    assert!(plan.plan.inputs.accept(&json!({"deep": true})).is_err(), "without its pack it does not run");
}

#[tokio::test]
async fn a_capability_is_the_plan_of_its_name() {
    let world = World::open().await;
    world.save(POSITIONS).await;
    let plan = world.save(REPORT).await;
    let handle = world.start(&plan, json!({"portfolio_id": "P-7"})).await;
    let run = world.ended(handle.id).await;
    let output = run.output();
    assert_eq!((&output["positions"]["portfolio_id"], &output["summary"]), (&json!("P-7"), &json!({"count": 2, "missing": null})));
    assert_eq!(output["empty"], json!(null));
}
