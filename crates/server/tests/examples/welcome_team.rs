//! `welcome-team.yaml`: a run that calls runs of another plan and waits for them.

use mainspring_model::id::OrgId;
use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{Error, NotReached, Success};
use mainspring_model::store::{Paging, RunFilter};
use serde_json::{Value, json};

use super::{hello, world::World};

pub const PLAN: &str = "welcome-team.yaml";

#[tokio::test]
async fn each_person_gets_a_run_of_hello() {
    let world = World::open().await;
    let greeting = world.save(hello::PLAN).await;
    let plan = world.save(PLAN).await;
    let engine = world.app.engine.clone();
    let claiming = tokio::spawn(async move { engine.serve_claims().await });
    let handle = world.start(&plan, Value::Null).await;
    let run = world.ended(handle.id).await;
    claiming.abort();

    assert_eq!(run.output(), "Hello, Ada!\nHELLO, GRACE!\nHello, Radia!");
    assert_eq!(run.statuses()[..2], [("greetings", Success), ("card", Success)]);
    assert_eq!((run.count("called"), run.count("opened")), (3, 1));

    let filter = RunFilter { plan: Some(greeting.id), ..RunFilter::default() };
    let children = world.app.store.list_runs(OrgId::LOCAL, &filter, &Paging { limit: 10, cursor: None }).await.unwrap();
    assert_eq!(children.items.len(), 3);
    for child in &children.items {
        assert_eq!((child.status, child.trigger.as_str()), (RunStatus::Success, "call"));
        let header = world.app.store.header(child.id).await.unwrap().unwrap();
        let (parent, path) = header.parent.unwrap();
        assert_eq!(parent, run.id);
        let place: usize = path.strip_prefix("greetings[").unwrap().strip_suffix(']').unwrap().parse().unwrap();
        assert_eq!(header.inputs["name"], ["Ada", "Grace", "Radia"][place]);
    }
}

#[tokio::test]
async fn without_hello_it_says_what_is_missing() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"people": ["Ada"]})).await;
    let error = run.ending.error.as_ref().unwrap();
    assert_eq!((run.ending.status, error.code.as_str()), (RunStatus::Error, "INVALID_PARAMS"));
    assert_eq!(error.message, "there is no plan \"Hello\" to call; write a plan's name or id");
    assert_eq!(run.statuses()[..2], [("greetings", Error), ("card", NotReached)]);
}
