//! Plans over HTTP: create, get, replace, delete, check; older documents; versions.

use axum::body::Body;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::json;

use super::world::{World, ask, doubling, plain};

#[tokio::test]
async fn a_plan_is_created_read_replaced_and_deleted() {
    let world = World::dev().await;
    let created = world.post("/api/plans", doubling("Double")).await;
    assert_eq!((created.status.as_u16(), &created.headers["etag"]), (201, &"\"v1\"".parse().unwrap()));
    assert_json_snapshot!("created", plain(&created.body));
    let path = created.headers["location"].to_str().unwrap().to_owned();
    let read = world.get(&path).await;
    assert_eq!((read.status.as_u16(), &read.body["plan"]), (200, &created.body["plan"]));
    assert_eq!(world.get("/api/plans").await.body["plans"][0], created.body["plan"]);

    // An answer comes back as it was read, changed in one place.
    let mut changed = read.body["plan"].clone();
    changed["name"] = json!("Twice");
    let replaced = world.put(&path, changed.clone()).await;
    assert_eq!((replaced.status.as_u16(), &replaced.headers["etag"]), (200, &"\"v2\"".parse().unwrap()));
    assert_eq!((&replaced.body["plan"]["name"], &replaced.body["plan"]["version"]), (&json!("Twice"), &json!(2)));
    // The same once more is no change.
    assert_eq!(world.put(&path, changed).await.body["plan"]["version"], 2);
    let versions = world.get(&format!("{path}/versions")).await;
    let newest = &versions.body["versions"][0];
    assert_eq!((&newest["version"], &newest["current"], &newest["name"]), (&json!(2), &json!(true), &json!("Twice")));

    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.status, 404);
    assert_eq!(world.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let path = format!("/api/plans/{id}");
    let put = |tag: &str, name: &str| {
        let request = ask(Method::PUT, &path).header("content-type", "application/json").header("if-match", tag);
        request.body(Body::from(doubling(name).to_string())).unwrap()
    };
    assert_eq!(world.send(put("\"v1\"", "Second")).await.body["plan"]["version"], 2);
    let stale = world.send(put("\"v1\"", "Third")).await;
    assert_eq!((stale.status.as_u16(), &stale.body["code"]), (412, &json!("STALE_VERSION")));
    let delete = |tag: &str| ask(Method::DELETE, &path).header("if-match", tag).body(Body::empty()).unwrap();
    assert_eq!(world.send(delete("\"v1\"")).await.status, 412);
    assert_eq!(world.get(&path).await.body["plan"]["name"], "Second");
    assert_eq!(world.send(delete("\"v2\"")).await.status, 204);
}

#[tokio::test]
async fn all_problems_of_a_document_come_at_once_with_their_places() {
    let world = World::dev().await;
    let text = "{\n \"name\": \"Bad\",\n \"steps\": [\n  {\"id\": \"a\", \"action\": \"http.requst\", \"parms\": {}},\n  {\"id\": \"a\", \"action\": \"logic.set\", \"params\": {\"x\": \"${steps.b.output}\"}}\n ]\n}";
    let request = || ask(Method::POST, "/api/plans").header("content-type", "application/json").body(Body::from(text)).unwrap();
    let refused = world.send(request()).await;
    assert_eq!(refused.status, 422);
    assert_json_snapshot!("problems", plain(&refused.body));
    let checked = world
        .send(ask(Method::POST, "/api/plans/validate").header("content-type", "application/json").body(Body::from(text)).unwrap())
        .await;
    assert_eq!((checked.status.as_u16(), &checked.body["valid"], &checked.body["errors"]), (200, &json!(false), &refused.body["errors"]));
    let good = world.post("/api/plans/validate", doubling("Good")).await;
    assert_eq!((&good.body["valid"], &good.body["plan"]["name"]), (&json!(true), &json!("Good")));
    assert_eq!(world.get("/api/plans").await.body["plans"], json!([]));
}

#[tokio::test]
async fn an_earlier_document_is_translated_and_says_so() {
    let world = World::dev().await;
    let older = json!({
        "user_id": "someone", "name": "Digest", "original_prompt": "summarise and post",
        "trigger": {"type": "cron", "cron_expression": "0 9 * * *"},
        "steps": [
            {"order": 1, "provider": "openai", "action_id": "chat_completion", "params": {"prompt": "Three facts"}},
            {"order": 2, "provider": "webhook", "action_id": "post_request", "params": {"url": "https://hooks.example/x", "payload": {"text": "{{step_1.output}}"}}},
        ],
    });
    let answer = world.post("/api/execution-plans", older).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_json_snapshot!("older", plain(&answer.body));
    let id = answer.body["plan"]["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/api/execution-plans/{id}")).await.body["plan"], answer.body["plan"]);
    assert_eq!(world.get("/api/execution-plans").await.body["plans"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/scheduler/jobs").await.body["total"], 1);
    assert_eq!(world.delete(&format!("/api/execution-plans/{id}")).await.status, 204);
    assert_eq!(world.get("/api/scheduler/jobs").await.body["total"], 0);
}
