//! One step alone.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::World;

async fn run(body: Value) -> Value {
    let world = World::dev().await;
    let answer = world.post("/api/execute-step", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

#[tokio::test]
async fn earlier_results_come_by_index_and_by_id() {
    let step = json!({"provider": "logic", "action": "set", "params": {"a": "${steps[0].output.n + 1}"}});
    let listed = run(
        json!({"step": step, "step_results": [{"success": true, "output": {"n": 1}}], "plan_id": "x", "step_number": 1, "user_id": "me"}),
    )
    .await;
    assert_json_snapshot!("listed", listed);
    assert_eq!(run(json!({"step": step, "step_results": {"0": {"n": 2}}})).await["output"], json!({"a": 3}));
    let named = json!({"action": "logic.set", "params": {"a": "${steps.load.output.n}", "b": "${inputs.b}"}});
    assert_eq!(
        run(json!({"step": named, "step_results": {"load": {"n": 5}}, "inputs": {"b": 6}})).await["output"],
        json!({"a": 5, "b": 6})
    );
    let older = json!({"provider": "logic", "action": "transform", "params": {"template": "got {{step_1.output}}"}});
    assert_eq!(run(json!({"step": older, "step_results": [{"success": true, "output": "it"}]})).await["output"], json!("got it"));
}

#[tokio::test]
async fn what_goes_wrong_is_an_answer() {
    let cases = json!({
        "unknown provider": {"action": "logi.set", "params": {}},
        "unknown action": {"provider": "logic", "action": "st", "params": {}},
        "bad params": {"action": "logic.limit", "params": {"items": [1], "limt": 1}},
        "failed action": {"action": "logic.fail", "params": {"code": "USER_X", "message": "no"}},
        "unresolved": {"action": "logic.set", "params": {"a": "${inputs.missing}"}},
        "refused connection": {"action": "http.request", "params": {"url": "http://127.0.0.1:1/"}, "retry": {"max_attempts": 1}},
    });
    let mut table = serde_json::Map::new();
    for (name, step) in cases.as_object().unwrap() {
        table.insert(name.clone(), run(json!({"step": step, "inputs": {"there": 1}})).await);
    }
    assert_json_snapshot!(table);
}

#[tokio::test]
async fn a_step_that_is_none_is_refused() {
    let world = World::dev().await;
    for body in
        [json!({}), json!({"step": []}), json!({"step": {"action": "logic.set"}, "step_results": 3}), json!({"step": {}, "inputs": []})]
    {
        assert_eq!(world.post("/api/execute-step", body.clone()).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn a_loop_and_a_skip_can_be_tried() {
    let looped = json!({"id": "each", "for_each": "inputs.items", "action": "logic.set", "params": {"n": "${item * 2}"}});
    assert_eq!(run(json!({"step": looped, "inputs": {"items": [1, 2]}})).await["output"], json!([{"n": 2}, {"n": 4}]));
    let skipped = run(json!({"step": {"if": "1 > 2", "action": "logic.set", "params": {}}})).await;
    assert_eq!((&skipped["success"], &skipped["output"]), (&json!(true), &Value::Null));
}
