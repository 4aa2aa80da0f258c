//! Limits on live runs, and pauses, from the caller's side.

use serde_json::{Value, json};

use super::world::World;

/// A plan whose runs wait for a person.
async fn limited(world: &World, concurrency: Value) -> String {
    let document = json!({
        "name": format!("Limited {concurrency}"), "concurrency": concurrency, "inputs": {"who": {"type": "string", "default": "ada"}},
        "steps": [{"id": "w", "action": "logic.wait_for_event", "params": {"type": "go", "where": "event.data.who == inputs.who"}}],
        "finally": [{"id": "tidy", "action": "logic.set", "params": {"n": 1}}],
    });
    world.plan(document).await
}

async fn start(world: &World, plan: &str, who: &str) -> String {
    let started = world.post("/api/execute", json!({"plan_id": plan, "inputs": {"who": who}, "wait": false})).await;
    assert_eq!(started.status, 202, "{}", started.text);
    started.body["execution"]["id"].as_str().unwrap().to_owned()
}

async fn run(world: &World, id: &str) -> Value {
    world.get(&format!("/api/runs/{id}")).await.body["run"].take()
}

/// The run at its end.
async fn ended(world: &World, id: &str) -> Value {
    world.get(&format!("/api/runs/{id}/events")).await;
    run(world, id).await
}

async fn until(world: &World, id: &str, status: &str) {
    for _ in 0..2_000 {
        if run(world, id).await["status"] == status {
            return;
        }
        tokio::task::yield_now().await;
        world.get("/api/plans").await;
    }
    panic!("run {id} does not come to be {status}: {}", run(world, id).await);
}

async fn go(world: &World, who: &str) {
    let told = world.post("/api/events", json!({"type": "go", "data": {"who": who}})).await;
    assert_eq!(told.status, 202, "{}", told.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_over_the_limit_has_its_turn() {
    let world = World::dev().await.driving().await;
    let plan = limited(&world, json!({"limit": 1, "key": "${inputs.who}"})).await;
    let first = start(&world, &plan, "ada").await;
    until(&world, &first, "waiting").await;
    let second = start(&world, &plan, "ada").await;
    let other = start(&world, &plan, "grace").await;
    until(&world, &other, "waiting").await;
    assert_eq!(run(&world, &second).await["status"], "queued");
    go(&world, "ada").await;
    assert_eq!(ended(&world, &first).await["status"], "success");
    // It was accepted before the event came, so it heard of it as well.
    assert_eq!(ended(&world, &second).await["status"], "success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_with_a_priority_of_its_own() {
    let world = World::dev().await.driving().await;
    let plan = limited(&world, json!({"limit": 1})).await;
    let first = start(&world, &plan, "ada").await;
    until(&world, &first, "waiting").await;
    let second = start(&world, &plan, "grace").await;
    let wrong = world.post("/api/execute", json!({"plan_id": plan, "priority": "urgent"})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let urgent = json!({"plan_id": plan, "inputs": {"who": "mary"}, "wait": false, "priority": "high"});
    let third = world.post("/api/execute", urgent).await.body["execution"]["id"].as_str().unwrap().to_owned();
    go(&world, "ada").await;
    assert_eq!(ended(&world, &first).await["status"], "success");
    until(&world, &third, "waiting").await;
    assert_eq!(run(&world, &second).await["status"], "queued", "it came first and is less urgent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_run_names_the_live_one() {
    let world = World::dev().await.driving().await;
    let plan = limited(&world, json!({"limit": 1, "policy": "skip"})).await;
    let first = start(&world, &plan, "ada").await;
    until(&world, &first, "waiting").await;
    let answer = world.post("/api/execute", json!({"plan_id": plan})).await;
    assert_eq!((answer.status.as_u16(), &answer.body["success"]), (200, &json!(false)), "{}", answer.text);
    let skipped = run(&world, answer.body["execution"]["id"].as_str().unwrap()).await;
    assert_eq!((&skipped["status"], &skipped["error"]["code"]), (&json!("cancelled"), &json!("CONCURRENCY_LIMIT")), "{skipped}");
    assert_eq!(skipped["error"]["details"]["run"], first);
    assert!(
        skipped["steps"].as_array().unwrap().iter().all(|step| step["status"] == "not_reached" || step["status"] == "pending"),
        "{skipped}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_takes_the_place_of_the_live_one() {
    let world = World::dev().await.driving().await;
    let plan = limited(&world, json!({"limit": 1, "policy": "cancel_running"})).await;
    let first = start(&world, &plan, "ada").await;
    until(&world, &first, "waiting").await;
    let second = start(&world, &plan, "ada").await;
    assert_eq!(ended(&world, &first).await["status"], "cancelled");
    until(&world, &second, "waiting").await;
    go(&world, "ada").await;
    assert_eq!(ended(&world, &second).await["status"], "success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_of_one_key_come_together() {
    let world = World::dev().await.driving().await;
    let document = json!({
        "name": "Together", "concurrency": {"limit": 1, "key": "${trigger.body.order}", "policy": "deliver"},
        "triggers": [
            {"id": "order", "type": "webhook", "path": "t/order"}, {"id": "payment", "type": "webhook", "path": "t/payment"},
            {"id": "label", "type": "webhook", "path": "t/label"},
        ],
        "steps": [{"id": "all", "action": "logic.wait_for_triggers", "params": {"all": ["order", "payment", "label"]}}],
    });
    world.plan(document).await;
    let run_of = |answer: Value| answer["runs"][0]["id"].as_str().unwrap().to_owned();
    let first = run_of(world.post("/api/webhook/t/payment", json!({"order": 7, "sum": 12})).await.body);
    let second = run_of(world.post("/api/webhook/t/order", json!({"order": 7, "item": "book"})).await.body);
    let third = run_of(world.post("/api/webhook/t/label", json!({"order": 7, "color": "red"})).await.body);
    let run = ended(&world, &first).await;
    assert_eq!(run["status"], "success", "{run}");
    let came = &run["output"];
    assert_eq!(
        (&came["payment"]["body"]["sum"], &came["order"]["body"]["item"], &came["label"]["body"]["color"]),
        (&json!(12), &json!("book"), &json!("red"))
    );
    for told in [second, third] {
        let told = ended(&world, &told).await;
        assert_eq!((&told["status"], &told["output"]), (&json!("success"), &json!({"delivered_to": first})));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_that_the_plan_lacks_is_not_waited_for() {
    let world = World::dev().await.driving().await;
    let plan = world
        .plan(json!({"name": "Lacks", "triggers": [{"id": "order", "type": "webhook", "path": "lacks"}],
            "steps": [{"id": "all", "action": "logic.wait_for_triggers", "params": {"all": ["order", "payment"]}}]}))
        .await;
    let answer = world.post("/api/execute", json!({"plan_id": plan})).await;
    assert_eq!(answer.body["success"], false, "{}", answer.text);
    assert!(answer.text.contains("the plan has no trigger") && answer.text.contains("INVALID_PARAMS"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_run_goes_on_when_it_is_resumed() {
    let world = World::dev().await.driving().await;
    let plan = limited(&world, json!({"limit": 5})).await;
    let id = start(&world, &plan, "ada").await;
    until(&world, &id, "waiting").await;
    let paused = world.post(&format!("/api/runs/{id}/pause"), json!({})).await;
    assert_eq!((paused.status.as_u16(), &paused.body["run"]["status"]), (202, &json!("paused")), "{}", paused.text);
    go(&world, "ada").await;
    assert_eq!(run(&world, &id).await["status"], "paused", "what comes is served when it goes on");
    let resumed = world.post(&format!("/api/runs/{id}/resume"), json!({})).await;
    assert_eq!((resumed.status.as_u16(), &resumed.body["run"]["id"]), (202, &json!(id)), "{}", resumed.text);
    assert_eq!(ended(&world, &id).await["status"], "success");
    for (verb, says) in [("pause", "has ended"), ("resume", "is not paused: it is in `success`")] {
        let refused = world.post(&format!("/api/runs/{id}/{verb}"), json!({})).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    let lies = start(&world, &plan, "grace").await;
    until(&world, &lies, "waiting").await;
    world.post(&format!("/api/runs/{lies}/pause"), json!({})).await;
    assert_eq!(world.post(&format!("/api/runs/{lies}/cancel"), json!({})).await.status, 202);
    assert_eq!(ended(&world, &lies).await["status"], "cancelled");
}
