//! `failure-desk.yaml`: hears of failures of other plans and of events, and tells of each once.

use mainspring_model::id::{Owner, SignalId};
use mainspring_model::store::{Paging, RunFilter};
use mainspring_model::wait::event_topic;
use serde_json::json;

use super::world::World;

pub const PLAN: &str = "failure-desk.yaml";

#[tokio::test]
async fn it_hears_of_a_failed_run_and_of_an_event() {
    let world = World::open().await;
    let desk = world.save(PLAN).await;
    let broken = "name: Broken\nsteps:\n  - {action: logic.fail, params: {code: USER_PAPER, message: no paper}}\n";
    let broken = world.save_text("broken", broken).await;
    let failed = world.run(&broken, json!({})).await;
    let org = Owner::LOCAL.org;
    let id = SignalId(world.app.engine.new_id());
    world.app.engine.tell_event(org, id, "trouble.reported", json!({"what": "fire", "where": "second floor"})).await.unwrap();
    let id = SignalId(world.app.engine.new_id());
    world.app.engine.tell_event(org, id, "trouble.reported", json!({"who": "nobody"})).await.unwrap();
    world.app.engine.fire_due().await.unwrap();
    world.app.engine.idle().await;
    let filter = RunFilter { plan: Some(desk.id), ..RunFilter::default() };
    let runs = world.app.store.list_runs(org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
    let mut outputs: Vec<_> = runs.iter().map(|run| run.output.clone().unwrap_or_default()).collect();
    outputs.sort_by_key(ToString::to_string);
    assert_eq!(outputs, [json!("Broken: USER_PAPER: no paper"), json!("second floor: fire")], "{:?}", failed.ending);
    let noted = world.app.store.signals(org, &event_topic("trouble.noted"), 0, None, 9).await.unwrap();
    assert_eq!(noted.len(), 2);
}
