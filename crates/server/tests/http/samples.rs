//! Test addresses of webhooks: what comes there is kept and judged, starts nothing, and can be run.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{World, ask};

fn plan(trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["type"] = json!("webhook");
    trigger["path"] = json!("in");
    json!({
        "name": "Hooked", "triggers": [trigger], "inputs": {"email": {"type": "string", "required": true}},
        "steps": [{"id": "seen", "action": "logic.set", "params": {"email": "${inputs.email}", "from": "${trigger.body.from}"}}],
    })
}

/// The path of a new test address.
async fn address(world: &World, plan: &str) -> String {
    let made = world.post(&format!("/api/plans/{plan}/test-address"), json!({"for": "15m"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.body["url"].as_str().expect("a URL").to_owned();
    url[url.find("/api/webhook/").expect("our path")..].to_owned()
}

async fn samples(world: &World, plan: &str) -> Vec<Value> {
    world.get(&format!("/api/plans/{plan}/samples")).await.body["samples"].as_array().expect("a list").clone()
}

async fn runs(world: &World) -> usize {
    world.get("/api/runs").await.body["runs"].as_array().expect("a list").len()
}

fn call(path: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Body> {
    let request = headers.iter().fold(ask(Method::POST, path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body)).expect("a request")
}

#[tokio::test]
async fn a_sample_is_kept_judged_and_run() {
    let world = World::dev().await;
    let plan_id = world.plan(plan(json!({"if": "trigger.body.from !== 'spam'"}))).await;
    let path = address(&world, &plan_id).await;
    let sent = json!({"email": "a@b.example", "from": "shop"});
    let answer = world.post(&format!("{path}?page=2"), sent.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["runs"]), (202, &json!([])));
    world.post(&path, json!({"email": "a@b.example", "from": "spam"})).await;
    world.post(&path, json!({"email": 7, "from": "shop"})).await;
    let malformed = world.send(call(&path, &[("content-type", "application/json")], "{\"a\": }")).await;
    assert_eq!(malformed.status, 400, "as the webhook itself answers");
    assert_eq!(runs(&world).await, 0, "nothing is started");

    let found = samples(&world, &plan_id).await;
    let starts: Vec<bool> = found.iter().map(|sample| sample["starts"] == true).collect();
    assert_eq!(starts, [true, false, false, false]);
    let trigger = &found[0]["trigger"];
    assert_eq!((&trigger["body"], &trigger["query"]), (&sent, &json!({"page": "2"})));
    assert_eq!((&trigger["path"], &trigger["id"], &trigger["method"]), (&json!("in"), &json!("trigger_1"), &json!("POST")));
    assert_eq!(found[0]["inputs"], json!({"email": "a@b.example"}));
    assert_eq!(found[1]["problems"][0]["message"], "the trigger's `if` is false");
    assert!(found[2]["problems"][0]["pointer"].as_str().is_some_and(|pointer| pointer.ends_with("/email")), "{}", found[2]);
    assert_eq!((&found[3]["trigger"]["body"], found[3]["refused"]["code"].is_string()), (&json!("{\"a\": }"), true));

    // The plan is changed, and the same sample is looked at again.
    let mut changed = plan(json!({"inputs": {"email": "${trigger.body.from}@b.example"}}));
    changed["name"] = json!("Hooked");
    world.put(&format!("/api/plans/{plan_id}"), changed).await;
    assert_eq!(samples(&world, &plan_id).await[2]["inputs"], json!({"email": "shop@b.example"}));

    let run = world.post("/api/execute", json!({"plan_id": plan_id, "sample": found[0]["id"]})).await;
    assert_eq!(run.status, 200, "{}", run.text);
    assert_eq!(run.body["execution"]["step_outputs"][0], json!({"email": "shop@b.example", "from": "shop"}));
    let both = world.post("/api/execute", json!({"plan_id": plan_id, "sample": found[0]["id"], "inputs": {}})).await;
    assert_eq!((both.status.as_u16(), &both.body["errors"][0]["code"]), (422, &json!("CONFLICTING_FIELDS")));
    let after = world.get(&format!("/api/plans/{plan_id}/samples?after={}", found[2]["id"].as_str().expect("an id"))).await;
    assert_eq!(after.body["samples"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_the_webhook_would_refuse_is_shown_with_the_reason_and_without_secrets() {
    let world = World::dev().await;
    let stored = world
        .post(
            "/api/provider-credentials/webhook",
            json!({"name": "door", "credentials": {"header_name": "X-Door", "header_value": "open-sesame"}}),
        )
        .await;
    assert_eq!(stored.status, 201, "{}", stored.text);
    let plan_id = world.plan(plan(json!({"auth": "header", "credential": "door"}))).await;
    let path = address(&world, &plan_id).await;
    let body = r#"{"email": "a@b.example"}"#;
    let json = ("content-type", "application/json");
    assert_eq!(world.send(call(&path, &[json, ("x-door", "open-sesamy")], body)).await.status, 401);
    assert_eq!(world.send(call(&path, &[json, ("x-door", "open-sesame")], body)).await.status, 202);
    assert_eq!(
        world.send(ask(Method::GET, &path).header("x-door", "open-sesame").body(Body::empty()).expect("a request")).await.status,
        405
    );
    let found = samples(&world, &plan_id).await;
    let codes: Vec<&Value> = found.iter().map(|sample| &sample["refused"]["code"]).collect();
    assert_eq!(codes, [&json!("UNAUTHORIZED"), &Value::Null, &json!("METHOD_NOT_ALLOWED")]);
    assert!(!json!(found).to_string().contains("open-sesam"), "{found:?}");

    let signed = world
        .plan(json!({"name": "Signed", "triggers": [{"type": "webhook", "path": "hub", "signature": "github", "credential": "hub"}],
        "steps": [{"action": "logic.set", "params": {}}]}))
        .await;
    let path = address(&world, &signed).await;
    let refused = world.post(&path, json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (401, &json!("SIGNATURE_REJECTED")));
    assert_eq!(samples(&world, &signed).await[0]["refused"]["code"], "SIGNATURE_REJECTED");
}

#[tokio::test]
async fn an_address_ends_and_is_bounded_and_cannot_be_made_up() {
    let world = World::dev().await;
    let plan_id = world.plan(plan(json!({}))).await;
    let path = address(&world, &plan_id).await;
    let body = json!({"email": "a@b.example"});
    let (head, proof) = path.rsplit_once('.').expect("a proof");
    for forged in [
        format!("{head}.{}", "a".repeat(proof.len())),
        path.replace(&plan_id.replace('-', ""), &"0".repeat(32)),
        path.replace(".trigger_1.", ".trigger_2."),
        format!("{path}x"),
        "/api/webhook/test:".to_owned(),
        "/api/webhook/test:a.b.c.d.e.f".to_owned(),
    ] {
        assert_eq!(world.post(&forged, body.clone()).await.status, 404, "{forged}");
    }
    let large = world.post(&path, json!({"email": "a".repeat(300 << 10)})).await;
    assert_eq!((large.status.as_u16(), &large.body["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
    for _ in 0..50 {
        assert_eq!(world.post(&path, body.clone()).await.status, 202);
    }
    let full = world.post(&path, body.clone()).await;
    assert_eq!((full.status.as_u16(), &full.body["code"]), (429, &json!("LIMIT_EXCEEDED")));
    assert_eq!(samples(&world, &plan_id).await.len(), 50);

    let none = world.plan(json!({"name": "None", "steps": [{"action": "logic.set", "params": {}}]})).await;
    let refused = world.post(&format!("/api/plans/{none}/test-address"), json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["message"]), (422, &json!("the plan has no webhook trigger")));
    let long = world.post(&format!("/api/plans/{plan_id}/test-address"), json!({"for": "25h"})).await;
    assert_eq!((long.status.as_u16(), &long.body["errors"][0]["pointer"]), (422, &json!("/for")));
    let short = world.post(&format!("/api/plans/{plan_id}/test-address"), json!({"for": "1ms"})).await.body["url"]
        .as_str()
        .expect("a URL")
        .to_owned();
    let later = world.app.clock.now() + 5;
    while world.app.clock.now() < later {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.post(&short[short.find("/api/").expect("our path")..], body).await.status, 404, "its time is over");
}
