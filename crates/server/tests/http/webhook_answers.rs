//! What a webhook that waits for its run answers.

use std::time::Duration;

use insta::assert_json_snapshot;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};

use super::world::{World, plain};

fn plan(path: &str, respond: &str, steps: Value) -> Value {
    json!({"name": path, "triggers": [{"type": "webhook", "path": path, "respond": respond}], "steps": steps})
}

#[tokio::test]
async fn the_last_step_answers() {
    let world = World::dev().await;
    world.plan(plan("sum", "last_step", json!([{"action": "logic.set", "params": {"sum": "${trigger.body.a + trigger.body.b}"}}]))).await;
    let answer = world.post("/api/webhook/sum", json!({"a": 1, "b": 2})).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"sum": 3})));
    assert_eq!(answer.headers["content-type"], "application/json");
    let failed = world.post("/api/webhook/sum", json!({"a": 1})).await;
    assert_eq!(failed.status, 500);
    assert_json_snapshot!("run_failed", plain(&failed.body));
    let run = failed.body["run_id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/api/runs/{run}")).await.body["run"]["status"], "error");
}

#[tokio::test]
async fn a_step_answers_before_the_run_ends() {
    let world = World::dev().await;
    let respond = |status: u16, headers: Value, body: Value| {
        json!([
            {"action": "logic.respond", "params": {"status": status, "headers": headers, "body": body}},
            {"action": "logic.sleep", "params": {"for": "1h"}},
        ])
    };
    world.plan(plan("json", "step", respond(201, json!({"x-order": 7}), json!({"made": "${trigger.body.n}"})))).await;
    let answer = world.post("/api/webhook/json", json!({"n": 5})).await;
    assert_eq!((answer.status.as_u16(), &answer.body, &answer.headers["x-order"]), (201, &json!({"made": 5}), &"7".parse().unwrap()));
    world.plan(plan("page", "step", respond(200, json!({"content-type": "text/html", "set-cookie": "a=1"}), json!("<b>hi</b>")))).await;
    let page = world.post("/api/webhook/page", json!({})).await;
    assert_eq!((page.text.as_str(), &page.headers["content-type"]), ("<b>hi</b>", &"text/html".parse().unwrap()));
    assert_eq!((&page.headers["content-security-policy"], page.headers.get("set-cookie")), (&"sandbox".parse().unwrap(), None));
    world.plan(plan("none", "step", json!([{"action": "logic.set", "params": {"said": "nothing"}}]))).await;
    assert_eq!(world.post("/api/webhook/none", json!({})).await.body, json!({"said": "nothing"}));
}

#[tokio::test]
async fn a_run_that_waits_or_takes_long_is_answered_with_its_address() {
    let world = World::with(Settings { dev: true, answer_within: Duration::from_millis(50), ..World::settings() }).await;
    let nap = |long: &str| json!([{"action": "logic.sleep", "params": {"for": long}}]);
    for (path, long, respond) in [("waits", "1h", "last_step"), ("works", "800ms", "last_step"), ("step", "1h", "step")] {
        world.plan(plan(path, respond, nap(long))).await;
        let answer = world.post(&format!("/api/webhook/{path}"), json!({})).await;
        let run = answer.body["runs"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(
            (answer.status.as_u16(), answer.headers["location"].to_str().unwrap()),
            (202, format!("/api/runs/{run}").as_str()),
            "{path}"
        );
        assert_eq!(world.get(&format!("/api/runs/{run}")).await.status, 200);
    }
}

#[tokio::test]
async fn nothing_runs_where_the_condition_is_false() {
    let world = World::dev().await;
    let mut document = plan("gate", "last_step", json!([{"action": "logic.set", "params": {}}]));
    document["triggers"][0]["if"] = json!("trigger.body.go");
    world.plan(document).await;
    let answer = world.post("/api/webhook/gate", json!({"go": false})).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (202, &json!({"runs": []})));
    // What the condition cannot see is the caller's mistake.
    let blind = world.post("/api/webhook/gate", json!({})).await;
    assert_eq!((blind.status.as_u16(), &blind.body["code"]), (422, &json!("UNRESOLVED_REFERENCE")));
}
