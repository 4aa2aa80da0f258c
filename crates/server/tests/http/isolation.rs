//! Two organizations on one server: what belongs to one does not exist for the other.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{World, ask, doubling};

fn as_caller(key: &str, method: Method, path: &str, body: Option<&Value>) -> Request<Body> {
    let mut request = ask(method, path).header("authorization", format!("Bearer {key}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let world = World::keyed().await;
    let ((_, ours), (_, theirs)) = (world.key().await, world.key().await);
    let send =
        async |key: &str, method: Method, path: &str, body: Option<Value>| world.send(as_caller(key, method, path, body.as_ref())).await;

    let plan = send(&ours, Method::POST, "/api/plans", Some(doubling("Ours"))).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let executed = send(&ours, Method::POST, "/api/execute", Some(json!({"plan_id": plan, "inputs": {"n": 1}}))).await;
    let run = executed.body["execution"]["id"].as_str().unwrap_or_else(|| panic!("{}", executed.text)).to_owned();
    let credential = json!({"credentials": {"api_key": "sk-ours"}});
    assert_eq!(send(&ours, Method::POST, "/api/provider-credentials/openai", Some(credential)).await.status, 201);
    let definition = json!({"name": "shop", "base_url": "http://shop.example", "auth_type": "none"});
    let integration = send(&ours, Method::POST, "/api/custom-integrations", Some(definition)).await.body["integration"].clone();
    let (integration_id, provider) = (integration["id"].as_str().unwrap(), integration["provider"].as_str().unwrap());
    let schedule = json!({"cron_expression": "@daily"});
    assert_eq!(send(&ours, Method::POST, &format!("/api/plans/{plan}/schedule"), Some(schedule.clone())).await.status, 200);

    let unseen = [
        (Method::GET, format!("/api/plans/{plan}"), None),
        (Method::PUT, format!("/api/plans/{plan}"), Some(doubling("Theirs"))),
        (Method::DELETE, format!("/api/plans/{plan}"), None),
        (Method::GET, format!("/api/plans/{plan}/versions"), None),
        (Method::POST, format!("/api/plans/{plan}/schedule"), Some(schedule)),
        (Method::DELETE, format!("/api/plans/{plan}/schedule"), None),
        (Method::POST, "/api/execute".to_owned(), Some(json!({"plan_id": plan, "inputs": {"n": 1}}))),
        (Method::GET, format!("/api/runs/{run}"), None),
        (Method::GET, format!("/api/runs/{run}/events"), None),
        (Method::POST, format!("/api/runs/{run}/cancel"), Some(json!({}))),
        (Method::GET, format!("/api/custom-integrations/{integration_id}"), None),
        (Method::DELETE, format!("/api/custom-integrations/{integration_id}"), None),
        (Method::POST, format!("/api/custom-integrations/{integration_id}/test"), Some(json!({"endpoint": "/"}))),
        (Method::GET, format!("/api/providers/{provider}"), None),
        (Method::DELETE, "/api/provider-credentials/openai".to_owned(), None),
    ];
    for (method, path, body) in unseen {
        let answer = send(&theirs, method.clone(), &path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
    }
    for (path, list) in [
        ("/api/plans", "plans"),
        ("/api/runs", "runs"),
        ("/api/execution-logs", "logs"),
        ("/api/scheduler/jobs", "jobs"),
        ("/api/custom-integrations", "integrations"),
        ("/api/credentials", "credentials"),
        ("/api/provider-credentials/openai", "credentials"),
        ("/api/monitoring/status", "recent_activity"),
    ] {
        assert_eq!(send(&theirs, Method::GET, path, None).await.body[list], json!([]), "{path}");
        assert_ne!(send(&ours, Method::GET, path, None).await.body[list], json!([]), "{path}");
    }
    assert_eq!(send(&theirs, Method::GET, "/api/monitoring/status", None).await.body["total_executions"], 0);
    // Their own of the same name is another.
    assert_eq!(send(&theirs, Method::POST, "/api/plans", Some(doubling("Ours"))).await.status, 201);
}
