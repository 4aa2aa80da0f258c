//! Limits on an organization's runs at work, from the caller's side.

use std::sync::Arc;

use http::Method;
use mainspring_model::role::Role;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::organizations::{joined, send};
use super::world::World;
use crate::servers::server::{Server, reply};

const LIMITS: &str = "/api/organizations/current/limits";

async fn driving() -> World {
    World::dev().await.driving().await
}

async fn limited(world: &World, runs: u32) {
    let set = world.put(LIMITS, json!({ "runs_at_work": runs })).await;
    assert_eq!(set.status, 200, "{}", set.text);
}

async fn started(world: &World, plan: &str) -> String {
    let answer = world.post("/api/execute", json!({"plan_id": plan, "wait": false})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.body["execution"]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

async fn run(world: &World, id: &str) -> Value {
    world.get(&format!("/api/runs/{id}")).await.body["run"].clone()
}

async fn until(world: &World, id: &str, wanted: impl Fn(&Value) -> bool) {
    while !wanted(&run(world, id).await) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn limits_are_shown_set_and_taken_away() {
    let world = World::with(Settings { runs_per_organization: Some(3), ..World::settings() }).await;
    let (ada, key) = world.key().await;
    let (_, member) = joined(&world, ada.org, Role::Member).await;
    let put = async |key: &str, runs: Value| send(&world, key, Method::PUT, LIMITS, json!({ "runs_at_work": runs })).await;
    let shown = async || send(&world, &member, Method::GET, LIMITS, None).await.body["limits"].clone();
    assert_eq!(shown().await, json!({"runs_at_work": null, "operator": 3, "in_force": 3}));
    assert_eq!(put(&member, json!(1)).await.status, 403);
    for wrong in [json!(0), json!(4), json!(-1), json!("2"), json!(1.5)] {
        assert_eq!(put(&key, wrong.clone()).await.status, 422, "{wrong}");
    }
    assert_eq!(send(&world, &key, Method::PUT, LIMITS, json!({})).await.status, 422, "what is to be set has to be said");
    assert_eq!(put(&key, json!(2)).await.body["limits"], json!({"runs_at_work": 2, "operator": 3, "in_force": 2}));
    assert_eq!(shown().await["in_force"], 2);
    assert_eq!(put(&key, Value::Null).await.body["limits"]["in_force"], 3);
    let log = send(&world, &key, Method::GET, "/api/organizations/current/audit-log?action=set_organization_limits", None).await;
    let changes: Vec<_> = log.body["entries"].as_array().unwrap().iter().filter(|entry| entry["outcome"] == "done").collect();
    assert_eq!(changes.len(), 2, "{}", log.text);
    assert_eq!((&changes[0]["before"], &changes[0]["after"]), (&json!({"runs_at_work": 2}), &json!({"runs_at_work": null})));
}

#[tokio::test]
async fn a_run_without_a_place_says_why_it_waits() {
    let world = driving().await;
    limited(&world, 1).await;
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let service = Server::held(move |_| {
        let held = held.clone();
        Box::pin(async move {
            held.notified().await;
            reply(200, &[], "{}")
        })
    })
    .await;
    let plan = json!({"name": "Slow", "steps": [{"id": "call", "action": "http.get", "params": {"url": service.url("/")}}]});
    let plan = world.plan(plan).await;
    let first = started(&world, &plan).await;
    service.reaches(1).await;
    let second = started(&world, &plan).await;
    until(&world, &second, |run| run["held_by"] == "organization_limit").await;
    let seen = run(&world, &second).await;
    assert_eq!((&seen["status"], service.asked().len()), (&json!("queued"), 1), "{seen}");
    // One that is cancelled before it began needs no place.
    let third = started(&world, &plan).await;
    assert_eq!(world.post(&format!("/api/runs/{third}/cancel"), json!({})).await.status, 202);
    until(&world, &third, |run| run["status"] == "cancelled").await;
    gate.notify_one();
    service.reaches(2).await;
    assert_eq!(run(&world, &first).await["status"], "success");
    gate.notify_one();
    until(&world, &second, |run| run["status"] == "success").await;
    assert_eq!(run(&world, &second).await.get("held_by"), None);
}

#[tokio::test]
async fn a_plan_that_calls_another_one_needs_one_place() {
    let world = driving().await;
    limited(&world, 1).await;
    world.plan(json!({"name": "Inner", "steps": [{"id": "say", "action": "logic.set", "params": {"n": 7}}]})).await;
    let outer = json!({
        "name": "Outer",
        "steps": [{"id": "call", "for_each": "[1, 2, 3]", "max_parallel": 3, "action": "logic.call", "params": {"plan": "Inner"}}],
        "output": "${steps.call.output}",
    });
    let outer = world.plan(outer).await;
    let outer = started(&world, &outer).await;
    until(&world, &outer, |run| run["status"] == "success").await;
    assert_eq!(run(&world, &outer).await["output"], json!([{"n": 7}, {"n": 7}, {"n": 7}]));
}

#[tokio::test]
async fn what_was_set_aside_begins_when_the_limit_goes() {
    let world = driving().await;
    limited(&world, 1).await;
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let service = Server::held(move |_| {
        let held = held.clone();
        Box::pin(async move {
            held.notified().await;
            reply(200, &[], "{}")
        })
    })
    .await;
    let plan = json!({"name": "Slow", "steps": [{"id": "call", "action": "http.get", "params": {"url": service.url("/")}}]});
    let plan = world.plan(plan).await;
    started(&world, &plan).await;
    service.reaches(1).await;
    let second = started(&world, &plan).await;
    until(&world, &second, |run| run["held_by"] == "organization_limit").await;
    let set = world.put(LIMITS, json!({"runs_at_work": null})).await;
    assert_eq!(set.status, 200, "{}", set.text);
    service.reaches(2).await;
    until(&world, &second, |run| {
        gate.notify_one();
        run["status"] == "success"
    })
    .await;
}
