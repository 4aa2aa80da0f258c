//! `basket-totals.yaml`: users' code in a process of its own, as an installation runs it.

use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, Success};
use serde_json::{Value, json};

use super::world::World;

pub const PLAN: &str = "basket-totals.yaml";

#[tokio::test]
async fn it_adds_up_and_logs() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, Value::Null).await;
    let ada = json!({"customer": "Ada", "cents": 11_800, "discount": 1_180, "to_pay": 10_620});
    let ben = json!({"customer": "Ben", "cents": 297, "discount": 0, "to_pay": 297});
    assert_eq!(run.output(), &json!([ada, ben]));
    assert_eq!(run.statuses()[..2], [("totals", Success), ("discounts", Success)]);
    assert_eq!(run.attempted("totals").metadata["console"], json!(["Ada: 2800", "Ben: 297", "Ada: 9000"]));
}

#[tokio::test]
async fn an_error_in_the_code_names_its_line() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"orders": [{"customer": "Ada", "items": []}, {"customer": "Ben"}]})).await;
    assert_eq!(run.ending.status, RunStatus::Error);
    assert_eq!(run.statuses()[0], ("totals", Error));
    let attempted = run.attempted("totals");
    let fault = attempted.error.as_ref().unwrap();
    assert_eq!((fault.code.as_str(), &*fault.message), ("CODE_FAILED", "line 3: TypeError: cannot read property 'reduce' of undefined"));
    let details = fault.details.as_ref().unwrap();
    assert_eq!((&details["line"], &details["console"]), (&json!(3), &json!(["Ada: 0"])));
}
