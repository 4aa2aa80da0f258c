//! What plans remember between runs, from the caller's side: seen, mended, and nobody else's.

use serde_json::{Value, json};

use super::world::World;

async fn counting(world: &World) -> String {
    let steps = json!([
        {"id": "n", "action": "state.increment", "params": {"key": "runs"}},
        {"id": "new", "action": "state.unseen", "params": {"set": "items", "items": [1, 2]}},
        {"id": "all", "action": "state.set", "params": {"key": "last", "value": {"run": "${run.id}"}, "scope": "organization", "ttl": "1h"}},
    ]);
    world.plan(json!({"name": "Counting", "steps": steps})).await
}

async fn runs(world: &World, plan: &str) -> Value {
    let answer = world.post("/api/execute", json!({"plan_id": plan})).await;
    assert_eq!(answer.body["success"], true, "{}", answer.text);
    answer.body["execution"]["step_outputs"].clone()
}

#[tokio::test]
async fn what_runs_left_is_listed_and_mended() {
    let world = World::dev().await.driving().await;
    let plan = counting(&world).await;
    assert_eq!(runs(&world, &plan).await.as_array().unwrap()[..2], [json!(1), json!([1, 2])]);
    assert_eq!(runs(&world, &plan).await.as_array().unwrap()[..2], [json!(2), json!([])]);
    let own = world.get(&format!("/api/state?plan_id={plan}")).await.body;
    assert_eq!((&own["state"][0]["key"], &own["state"][0]["value"], &own["next_cursor"]), (&json!("runs"), &json!(2), &Value::Null));
    assert_eq!(own["sets"], json!([{"set": "items", "items": 2}]));
    let shared = world.get("/api/state/last").await.body;
    assert!(shared["state"]["value"]["run"].is_string() && shared["state"]["expires_at"].is_string(), "{shared}");

    let put = world.put(&format!("/api/state/runs?plan_id={plan}"), json!({"value": 40})).await;
    assert_eq!((put.status.as_u16(), &put.body["state"]["value"]), (200, &json!(40)), "{}", put.text);
    let forgotten = world.delete(&format!("/api/state-sets/items?plan_id={plan}")).await;
    assert_eq!(forgotten.body, json!({"items": 2}));
    assert_eq!(runs(&world, &plan).await.as_array().unwrap()[..2], [json!(41), json!([1, 2])]);
    assert_eq!(world.delete(&format!("/api/state/runs?plan_id={plan}")).await.status, 204);
    assert_eq!(world.get(&format!("/api/state/runs?plan_id={plan}")).await.status, 404);
    assert_eq!(world.delete(&format!("/api/state/runs?plan_id={plan}")).await.status, 404);
}

#[tokio::test]
async fn lists_go_on_where_they_ended_and_odd_keys_come_back() {
    let world = World::dev().await;
    for n in 0..5 {
        assert_eq!(world.put(&format!("/api/state/page%2F{n}"), json!({"value": n})).await.status, 200);
    }
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let page = world.get(&format!("/api/state?prefix=page%2F&limit=2{cursor}")).await.body;
        seen.extend(page["state"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["page/0", "page/1", "page/2", "page/3", "page/4"]);
    assert_eq!(world.get("/api/state?cursor=%25").await.status, 422);
    let long = "k".repeat(513);
    assert_eq!(world.put(&format!("/api/state/{long}"), json!({"value": 1})).await.status, 422);
    assert_eq!(world.put("/api/state/a", json!({"value": "x".repeat(262_145)})).await.status, 422);
    assert_eq!(world.put("/api/state/a", json!({"value": 1, "ttl": "soon"})).await.status, 422);
    assert_eq!(world.get("/api/state?plan_id=0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10").await.status, 404);
}

#[tokio::test]
async fn one_step_alone_leaves_nothing() {
    let world = World::dev().await;
    for commit in ["now", "success"] {
        let step = json!({"id": "a", "action": "state.increment", "params": {"key": "n", "scope": "organization", "commit": commit}});
        let tried = world.post("/api/execute-step", json!({ "step": step })).await;
        assert_eq!((&tried.body["success"], &tried.body["output"]), (&json!(true), &json!(1)), "{}", tried.text);
    }
    assert_eq!(world.get("/api/state/n").await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let world = World::dev().await.driving().await;
    world.put("/api/state/text", json!({"value": "x"})).await;
    for (params, code) in [
        (json!({"key": "text", "scope": "organization"}), "INVALID_INPUT"),
        (json!({"key": ""}), "INVALID_PARAMS"),
        (json!({"key": "n", "ttl": "0s"}), "INVALID_PARAMS"),
    ] {
        let step = json!({"id": "a", "action": "state.increment", "params": params});
        let tried = world.post("/api/execute-step", json!({ "step": step })).await;
        assert_eq!((&tried.body["success"], &tried.body["error"]), (&json!(false), &json!(code)), "{}", tried.text);
    }
    let step = json!({"id": "a", "action": "state.set", "params": {"key": "big", "value": "${'x'.repeat(262144)}"}});
    let tried = world.post("/api/execute-step", json!({ "step": step })).await;
    assert_eq!(tried.body["error"], "LIMIT_EXCEEDED", "{}", tried.text);
}
