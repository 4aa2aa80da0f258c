//! `Idempotency-Key`: once per key and body.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{World, ask, doubling};

fn keyed(path: &str, key: &str, body: &Value) -> Request<Body> {
    ask(Method::POST, path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn the_first_answer_comes_again() {
    let world = World::dev().await;
    let first = world.send(keyed("/api/plans", "k1", &doubling("A"))).await;
    let again = world.send(keyed("/api/plans", "k1", &doubling("A"))).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
    assert_eq!((&again.headers["location"], &again.headers["etag"]), (&first.headers["location"], &first.headers["etag"]));
    let other = world.send(keyed("/api/plans", "k1", &doubling("B"))).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));
    assert_eq!(world.get("/api/plans").await.body["plans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_plan_runs_once_per_key() {
    let world = World::dev().await;
    let id = world.plan(doubling("A")).await;
    let body = json!({"plan_id": id, "inputs": {"n": 1}});
    let first = world.send(keyed("/api/execute", "run", &body)).await;
    let again = world.send(keyed("/api/execute", "run", &body)).await;
    assert_eq!((first.status.as_u16(), &again.body), (200, &first.body));
    assert_eq!(world.get("/api/runs").await.body["runs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_write_may_be_mended_under_its_key() {
    let world = World::dev().await;
    assert_eq!(world.send(keyed("/api/plans", "k", &json!({"name": "x"}))).await.status, 422);
    assert_eq!(world.send(keyed("/api/plans", "k", &doubling("A"))).await.status, 201);
    assert_eq!(world.send(keyed("/api/plans", &"k".repeat(300), &doubling("A"))).await.status, 400);
}
