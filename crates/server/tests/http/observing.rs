//! Health, providers, schemas.

use axum::body::Body;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::json;

use super::world::{World, ask, plain};

#[tokio::test]
async fn the_server_says_how_it_is() {
    let world = World::dev().await;
    let fresh = world.get("/health/readiness").await;
    // Ready before the loops turn: what is started now is driven now.
    assert_eq!(
        (fresh.status.as_u16(), &fresh.body["checks"]["queue"], &fresh.body["checks"]["scheduler"]),
        (200, &json!("warning"), &json!("warning"))
    );
    assert_eq!(world.get("/api/health").await.body["scheduler"], "starting");
    let world = world.driving().await;
    let engine = world.app.engine.clone();
    tokio::spawn(async move { engine.serve_schedules().await });
    let mut readiness = json!(null);
    // A moment in which all readers are busy shows as a warning and passes.
    while ["queue", "scheduler", "database_pool"].iter().any(|check| readiness["checks"][*check] != "ok") {
        tokio::task::yield_now().await;
        readiness = world.get("/health/readiness").await.body;
    }
    // Who uses a connection at this moment is chance.
    for pool in readiness["pools"].as_array_mut().unwrap() {
        let busy = ["idle", "in_use", "waiting"].map(|figure| pool[figure].take().is_u64());
        assert_eq!(busy, [true; 3], "{pool}");
    }
    assert_json_snapshot!("readiness", readiness);
    assert_json_snapshot!("health", plain(&world.get("/api/health").await.body));
    assert_eq!(world.get("/health/liveness").await.body, json!({"status": "alive"}));
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
    assert_eq!(answer.body["checks"]["migrations"], "error");
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

#[tokio::test]
async fn every_refusal_leads_to_its_page() {
    let world = World::dev().await;
    let refusal = world.get("/api/plans/00000000-0000-0000-0000-000000000000").await.body;
    let page = world.get(refusal["type"].as_str().unwrap()).await;
    assert_eq!((page.status.as_u16(), &page.headers["content-type"]), (200, &"text/markdown; charset=utf-8".parse().unwrap()));
    assert!(page.text.starts_with("# NOT_FOUND\n"), "{}", page.text);
    let page = world.send(ask(Method::GET, "/docs/errors/cycle").header("accept", "text/html,*/*").body(Body::empty()).unwrap()).await;
    assert_eq!(page.headers["content-security-policy"], "default-src 'none'; style-src 'unsafe-inline'");
    assert!(page.text.contains("<h1>CYCLE</h1>") && page.text.contains("<title>CYCLE – Mainspring</title>"), "{}", page.text);
    let list = world.get("/docs/errors").await.text;
    assert!(list.contains("* [CYCLE](/docs/errors/CYCLE)\n"), "{list}");
    assert_eq!(world.get("/docs/errors/NO_SUCH_CODE").await.status.as_u16(), 404);
}
