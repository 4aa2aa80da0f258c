//! `hello.yaml`: the first minute.

use mainspring_model::run::StepStatus::{Skipped, Success};
use serde_json::{Value, json};

use super::world::World;

pub const PLAN: &str = "hello.yaml";

#[tokio::test]
async fn it_greets_quietly_and_loudly() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;

    let quiet = world.run(&plan, Value::Null).await;
    assert_eq!(quiet.output(), &json!({"greeting": "Hello, World!"}));
    assert_eq!(quiet.statuses(), [("greet", Success), ("shout", Skipped)]);
    assert_eq!(quiet.step("greet").output, json!({"text": "Hello, World!"}));
    assert_eq!((quiet.step("shout").output.clone(), quiet.step("shout").attempts.len()), (Value::Null, 0));

    let loud = world.run(&plan, json!({"name": "Größe ${1 + 1}", "loud": true})).await;
    // What comes in is data: it is never read as an expression.
    assert_eq!(loud.output(), &json!({"greeting": "HELLO, GRÖSSE ${1 + 1}!"}));
    assert_eq!(loud.statuses(), [("greet", Success), ("shout", Success)]);
    assert_eq!(loud.count("attempted"), 2);
}

#[tokio::test]
async fn wrong_inputs_are_named_before_anything_runs() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let problems = plan.plan.inputs.accept(&json!({"name": "", "loud": "yes", "nmae": 1})).unwrap_err();
    let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers.len(), 3, "{problems:?}");
    for pointer in ["/inputs/name", "/inputs/loud", "/inputs/nmae"] {
        assert!(pointers.contains(&pointer), "{problems:?}");
    }
}
