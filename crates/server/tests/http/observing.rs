//! Health, providers, schemas.

use insta::assert_json_snapshot;
use serde_json::json;

use super::world::{World, plain};

#[tokio::test]
async fn the_server_says_how_it_is() {
    let world = World::dev().await;
    assert_json_snapshot!("health", plain(&world.get("/api/health").await.body));
    assert_eq!(world.get("/health/liveness").await.body, json!({"status": "alive"}));
    assert_json_snapshot!("readiness", world.get("/health/readiness").await.body);
    let migrations = world.get("/health/migrations").await.body;
    assert_eq!((&migrations["status"], &migrations["pending"]), (&json!("up_to_date"), &json!([])));
    assert!(migrations["applied"].as_u64().is_some_and(|applied| applied > 0));
}

#[tokio::test]
async fn a_closed_store_is_not_ready() {
    let world = World::dev().await;
    world.app.store.close().await;
    let answer = world.get("/health/readiness").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["status"], &answer.body["checks"]["database"]),
        (503, &json!("not_ready"), &json!("error"))
    );
    let list = world.get("/api/plans").await;
    assert_eq!((list.status.as_u16(), &list.headers["retry-after"]), (503, &"5".parse().unwrap()));
}

#[tokio::test]
async fn providers_are_listed_by_id_and_in_full() {
    let world = World::dev().await;
    let ids = world.get("/api/providers").await.body;
    let mut sorted: Vec<&str> = ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(ids, json!(sorted));
    assert!(["http", "logic", "openai", "webhook"].iter().all(|id| sorted.contains(id)));
    let detail = world.get("/api/providers?detail=true").await.body;
    assert_eq!((&detail["total"], detail["providers"].as_array().unwrap().len()), (&json!(sorted.len()), sorted.len()));
    let webhook = detail["providers"].as_array().unwrap().iter().find(|provider| provider["name"] == "webhook").unwrap();
    assert_json_snapshot!("summary", webhook);
    assert_json_snapshot!("provider", world.get("/api/providers/webhook").await.body);
}

#[tokio::test]
async fn the_plan_schema_is_published() {
    let schema = World::dev().await.get("/api/schemas/plan").await.body;
    assert_eq!((&schema["title"], schema["properties"]["steps"].is_object()), (&json!("Mainspring plan"), true));
}
