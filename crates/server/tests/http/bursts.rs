//! Triggers that wait for others of their burst, from the caller's side.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;

async fn run(world: &World, id: &str) -> Value {
    world.get(&format!("/api/runs/{id}")).await.body["run"].take()
}

/// The run at its end.
async fn ended(world: &World, id: &str) -> Value {
    world.get(&format!("/api/runs/{id}/events")).await;
    run(world, id).await
}

fn plan(trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["id"] = json!("hook");
    json!({"name": format!("Burst {trigger}"), "triggers": [trigger], "steps": [{"id": "seen", "action": "logic.set",
        "params": {"n": "${trigger.body?.n ?? trigger.batch?.length ?? 'by hand'}"}}], "output": "${steps.seen.output}"})
}

async fn fire(world: &World, path: &str, body: Value) -> String {
    let answer = world.post(&format!("/api/webhook/{path}"), body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.body["runs"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_debounced_runs_the_last_call() {
    let world = World::dev().await.driving().await;
    let id = world.plan(plan(json!({"type": "webhook", "path": "quiet", "debounce": {"for": "700ms"}}))).await;
    let first = fire(&world, "quiet", json!({"n": 1})).await;
    let second = fire(&world, "quiet", json!({"n": 2})).await;
    let held = run(&world, &first).await;
    assert_eq!((&held["status"], &held["held_for"]["by"]), (&json!("queued"), &json!("debounce")), "{held}");
    assert!(held["held_for"]["until"].as_str().is_some_and(|until| until.ends_with('Z')), "{held}");
    let listed = world.get("/api/runs?status=queued").await.body;
    assert_eq!(listed["runs"][0]["held_for"], held["held_for"], "{listed}");
    let last = ended(&world, &second).await;
    assert_eq!((&last["status"], &last["output"], &last["held_for"]), (&json!("success"), &json!({"n": 2}), &Value::Null), "{last}");
    let merged = ended(&world, &first).await;
    assert_eq!((&merged["status"], &merged["output"]), (&json!("success"), &json!({"debounced_into": second})));
    assert!(merged["steps"].as_array().unwrap().iter().all(|step| step["status"] != "success"), "{merged}");
    let by_hand = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(by_hand.body["execution"]["status"], "success", "{}", by_hand.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_batch_runs_at_once_with_all_calls() {
    let world = World::dev().await.driving().await;
    world.plan(plan(json!({"type": "webhook", "path": "lot", "batch": {"size": 3, "within": "1h"}, "if": "trigger.body.n != 13"}))).await;
    let refused = world.post("/api/webhook/lot", json!({"n": 13})).await;
    assert_eq!(refused.body["runs"], json!([]), "what its if refuses is in no batch");
    let mut runs = Vec::new();
    for n in 1..=3 {
        runs.push(fire(&world, "lot", json!({"n": n})).await);
    }
    assert_eq!(ended(&world, &runs[0]).await["output"], json!({"n": 3}));
    for other in &runs[1..] {
        assert_eq!(ended(&world, other).await["output"], json!({"batched_into": runs[0]}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_together_by_key() {
    let world = World::dev().await.driving().await;
    let document = json!({"name": "Together", "triggers": [{"id": "changed", "type": "event", "event_type": "file.changed",
        "batch": {"size": 2, "within": "1h", "key": "${trigger.event.data.repo}"}, "inputs": {"files": "${trigger.batch.map(f => f.event.data.path)}"}}],
        "inputs": {"files": {"type": "array", "required": true}}, "concurrency": {"limit": 1, "key": "${inputs.files[0]}"},
        "steps": [{"id": "out", "action": "logic.set", "params": {"files": "${inputs.files}"}}], "output": "${steps.out.output.files}"});
    let plan = world.plan(document).await;
    let engine = world.app.engine.clone();
    tokio::spawn(async move { engine.serve_schedules().await });
    for (repo, path) in [("docs", "a"), ("site", "b"), ("docs", "c")] {
        let told = world.post("/api/events", json!({"type": "file.changed", "data": {"repo": repo, "path": path}})).await;
        assert_eq!(told.status, 202, "{}", told.text);
    }
    let looking = async {
        loop {
            let runs = world.get(&format!("/api/runs?plan_id={plan}")).await.body["runs"].as_array().unwrap().clone();
            if runs.iter().filter(|run| run["status"] == "success").count() == 2 && runs.len() == 3 {
                return runs;
            }
            tokio::task::yield_now().await;
        }
    };
    let runs = tokio::time::timeout(Duration::from_secs(30), looking).await.expect("the batch ends");
    let mut outputs = Vec::new();
    for run in &runs {
        outputs.push(self::run(&world, run["id"].as_str().unwrap()).await["output"].take());
    }
    // Both events are heard at once, in whatever order.
    assert!(outputs.contains(&json!(["a", "c"])) || outputs.contains(&json!(["c", "a"])), "{outputs:?}");
    let waiting: Vec<&Value> = runs.iter().filter(|run| run["status"] == "queued").collect();
    assert_eq!((waiting.len(), &waiting[0]["held_for"]["by"]), (1, &json!("batch")));
}
