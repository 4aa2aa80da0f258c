//! `run-summary.yaml`: hears of the ends of another plan's runs, and has a model say what came of them.

use mainspring_model::id::Owner;
use mainspring_model::store::{Paging, RunFilter};
use mainspring_model::wait::event_topic;
use serde_json::json;

use super::world::World;
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "run-summary.yaml";

#[tokio::test]
async fn an_import_is_summed_up_when_it_ended() {
    let world = World::open().await;
    let model =
        Server::start(|_| answer(200, &json!({"choices": [{"message": {"role": "assistant", "content": "Two orders came."}}]}))).await;
    world.credential("groq", &[("api_key", "k"), ("base_url", &model.url("/v1"))]).await;
    let summary = world.save(PLAN).await;
    let import = "name: Nightly import\nsteps:\n  - {action: logic.set, params: {orders: 2}}\n";
    let import = world.save_text("import", import).await;
    world.run(&import, json!({})).await;
    world.app.engine.fire_due().await.unwrap();
    world.app.engine.idle().await;
    let filter = RunFilter { plan: Some(summary.id), ..RunFilter::default() };
    let runs = world.app.store.list_runs(Owner::LOCAL.org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
    assert_eq!(runs.iter().map(|run| run.output.clone().unwrap()).collect::<Vec<_>>(), [json!("Two orders came.")]);
    let asked = model.asked();
    let messages = asked[0].json()["messages"].clone();
    assert_eq!(messages[1]["content"].as_str().unwrap(), "{\"status\":\"success\",\"result\":{\"orders\":2}}");
    let told = world.app.store.signals(Owner::LOCAL.org, &event_topic("import.summed_up"), 0, None, 9).await.unwrap();
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn a_model_that_is_away_is_no_trouble() {
    let world = World::open().await;
    let model = Server::start(|_| answer(400, &json!({"error": {"message": "no"}}))).await;
    world.credential("groq", &[("api_key", "k"), ("base_url", &model.url("/v1"))]).await;
    let plan = world.save(PLAN).await;
    assert_eq!(world.run(&plan, json!({"status": "timeout"})).await.output(), "It ended in timeout.");
}
