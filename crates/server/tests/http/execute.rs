//! Running plans by hand, reading their runs, cancelling.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::{World, doubling, plain};

#[tokio::test]
async fn a_plan_runs_and_its_run_can_be_read() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let executed = world.post("/api/execute", json!({"plan_id": id, "inputs": {"n": 21}})).await;
    assert_eq!(executed.status, 200, "{}", executed.text);
    assert_json_snapshot!("executed", plain(&executed.body));
    let run = executed.body["execution"]["id"].as_str().unwrap();
    let read = world.get(&format!("/api/runs/{run}")).await;
    assert_json_snapshot!("run", plain(&read.body));
    let listed = world.get(&format!("/api/runs?plan_id={id}&status=success")).await;
    assert_json_snapshot!("runs", plain(&listed.body));
    assert_eq!(world.get("/api/runs?status=error").await.body["runs"], json!([]));
    let logs = world.get(&format!("/api/execution-logs?run_id={run}&provider=logic&status=success")).await;
    assert_json_snapshot!("logs", plain(&logs.body));
    let status = world.get("/api/monitoring/status").await;
    assert_json_snapshot!("monitoring", plain(&status.body));
}

#[tokio::test]
async fn a_failed_run_is_an_answer() {
    let world = World::dev().await;
    let plan = json!({"name": "Fails", "steps": [
        {"id": "fine", "action": "logic.set", "params": {"a": 1}},
        {"id": "broken", "action": "logic.fail", "params": {"code": "USER_NO", "message": "not today"}},
        {"id": "never", "action": "logic.set", "params": {}},
    ]});
    let id = world.plan(plan).await;
    let executed = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(executed.status, 200);
    assert_json_snapshot!("failed", plain(&executed.body));
    let logs = world.get("/api/execution-logs?status=error").await;
    assert_json_snapshot!("failed_logs", plain(&logs.body));
    let run = executed.body["execution"]["id"].as_str().unwrap();
    assert_json_snapshot!("failed_run", plain(&world.get(&format!("/api/runs/{run}")).await.body));
}

#[tokio::test]
async fn inputs_are_checked_before_a_run_exists() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let refused = world.post("/api/execute", json!({"plan_id": id, "inputs": {"n": "three", "m": 1}})).await;
    assert_eq!(refused.status, 422);
    assert_json_snapshot!("inputs", plain(&refused.body));
    assert_eq!(world.post("/api/execute", json!({"plan_id": "nothing"})).await.status, 404);
    assert_eq!(world.get("/api/runs").await.body["runs"], json!([]));
}

#[tokio::test]
async fn nobody_waits_who_does_not_want_to() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let started = world.post("/api/execute", json!({"plan_id": id, "inputs": {"n": 1}, "wait": false})).await;
    // The run may have ended by the time that its standing is read.
    assert!(started.status == 202 || started.status == 200, "{}", started.text);
    assert_eq!(started.body["execution"]["plan_id"], json!(id));
    if started.status == 202 {
        let path = started.headers["location"].to_str().unwrap().to_owned();
        assert_eq!((&started.body["success"], world.get(&path).await.status.as_u16()), (&Value::Null, 200));
    }
}

fn sleeper() -> Value {
    json!({"name": "Sleeper", "steps": [{"id": "nap", "action": "logic.sleep", "params": {"for": "1h"}}, {"id": "after", "action": "logic.set", "params": {}}],
        "finally": [{"id": "tidy", "action": "logic.set", "params": {"tidy": true}}]})
}

#[tokio::test]
async fn a_run_that_waits_lets_its_caller_go_and_can_be_cancelled() {
    let world = World::dev().await.driving().await;
    let id = world.plan(sleeper()).await;
    let started = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(started.status, 202, "{}", started.text);
    assert_json_snapshot!("waiting", plain(&started.body));
    let path = started.headers["location"].to_str().unwrap().to_owned();
    let run = world.get(&path).await.body;
    assert_eq!((&run["run"]["status"], &run["run"]["steps"][0]["status"]), (&json!("waiting"), &json!("waiting")));
    assert!(run["run"]["steps"][0]["until"].as_str().is_some_and(|until| until.ends_with('Z')));

    let cancelled = world.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["run"]["id"]), (202, &run["run"]["id"]));
    // The stream ends with the run, so reading it to its end is waiting for that.
    let stream = format!("{path}/events");
    let events = tokio::time::timeout(std::time::Duration::from_secs(20), world.get(&stream)).await.expect("the run ends").text;
    assert!(events.contains("event: finished"), "{events}");
    let ended = world.get(&path).await.body;
    assert_eq!((&ended["run"]["status"], &ended["run"]["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")));
    assert_eq!(world.post(&format!("{path}/cancel"), json!({})).await.status, 409);
}

#[tokio::test]
async fn the_second_family_runs_the_same_plans() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let executed =
        world.post("/api/execute-plan", json!({"execution_plan_id": id, "user_id": "me", "trigger_data": {"n": 4, "other": true}})).await;
    assert_eq!((executed.status.as_u16(), &executed.body["success"]), (200, &json!(true)));
    assert_eq!(executed.body["execution"]["step_outputs"], json!([{"n": 8}, {"text": "twice is 8"}]));
    let run = executed.body["execution"]["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("/api/runs/{run}")).await.body["run"]["trigger_data"]["body"], json!({"n": 4, "other": true}));
}

#[tokio::test]
async fn a_large_output_is_whole_when_read() {
    let world = World::dev().await;
    let plan = json!({"name": "Large", "inputs": {"text": {"type": "string"}}, "steps": [{"id": "big", "action": "logic.set", "params": {"text": "${inputs.text}"}}]});
    let id = world.plan(plan).await;
    let text = "x".repeat(400 * 1024);
    let executed = world.post("/api/execute", json!({"plan_id": id, "inputs": {"text": text}})).await;
    let run = executed.body["execution"]["id"].as_str().unwrap();
    let read = world.get(&format!("/api/runs/{run}")).await.body;
    assert_eq!((&read["run"]["steps"][0]["output"]["text"], &read["run"]["output"]["text"]), (&json!(text), &json!(text)));
    let events = world.get(&format!("/api/runs/{run}/events")).await.text;
    assert!(events.len() < 500 * 1024 && events.contains("output_preview"), "{} bytes", events.len());
}
