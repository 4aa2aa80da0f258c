//! Runs that wait for the world: events, callbacks and approvals, from the caller's side.

use serde_json::{Value, json};

use super::world::World;

/// Starts a plan of these steps and gives its run when it has begun to wait.
async fn waiting(world: &World, steps: Value) -> String {
    let id = world.plan(json!({"name": "Waits", "inputs": {"order": {"type": "integer", "default": 7}}, "steps": steps})).await;
    let started = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(started.status, 202, "{}", started.text);
    started.body["execution"]["id"].as_str().unwrap().to_owned()
}

/// The run at its end.
async fn ended(world: &World, run: &str) -> Value {
    world.get(&format!("/api/runs/{run}/events")).await;
    world.get(&format!("/api/runs/{run}")).await.body["run"].take()
}

#[tokio::test]
async fn an_event_goes_to_the_runs_that_it_fits() {
    let world = World::dev().await.driving().await;
    let run = waiting(
        &world,
        json!([{"id": "paid", "action": "logic.wait_for_event", "params": {"type": "paid", "where": "event.data.order == inputs.order"}}]),
    )
    .await;
    let other = world.post("/api/events", json!({"type": "paid", "data": {"order": 8}})).await;
    assert_eq!((other.status.as_u16(), &other.body["woken"]), (202, &json!(0)), "{}", other.text);
    let id = "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10";
    let told = world.post("/api/events", json!({"type": "paid", "data": {"order": 7, "sum": 12}, "id": id})).await;
    assert_eq!((&told.body["woken"], &told.body["duplicate"], &told.body["id"]), (&json!(1), &json!(false), &json!(id)));
    let again = world.post("/api/events", json!({"type": "paid", "data": {"order": 7}, "id": id})).await;
    assert_eq!((&again.body["woken"], &again.body["duplicate"]), (&json!(0), &json!(true)));
    let run = ended(&world, &run).await;
    assert_eq!((&run["status"], &run["output"]["data"]["sum"], &run["output"]["id"]), (&json!("success"), &json!(12), &json!(id)));
    let wrong = world.post("/api/events", json!({"type": " ", "data": {}})).await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["pointer"]), (422, &json!("/type")));
}

#[tokio::test]
async fn a_run_emits_what_another_waits_for() {
    let world = World::dev().await.driving().await;
    let run = waiting(&world, json!([{"id": "w", "action": "logic.wait_for_event", "params": {"type": "shipped"}}])).await;
    let emitting =
        json!({"name": "Emits", "steps": [{"id": "e", "action": "logic.emit", "params": {"type": "shipped", "data": {"n": 3}}}]});
    let id = world.plan(emitting).await;
    let emitted = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(emitted.body["success"], true, "{}", emitted.text);
    assert_eq!(ended(&world, &run).await["output"]["data"], json!({"n": 3}));
}

#[tokio::test]
async fn an_opened_address_is_answered_once_by_whoever_knows_it() {
    let world = World::dev().await.driving().await;
    let run = waiting(
        &world,
        json!([
            {"id": "open", "action": "logic.open_callback"},
            {"id": "wait", "action": "logic.wait_for_callback", "params": {"id": "${steps.open.output.id}"}},
        ]),
    )
    .await;
    let shown = world.get(&format!("/api/runs/{run}")).await;
    let url = shown.body["run"]["steps"][0]["output"]["url"].as_str().unwrap().to_owned();
    let path = &url[url.find("/api/callbacks/").unwrap()..];
    assert_eq!(world.post("/api/callbacks/nothing", json!({})).await.status, 404);
    let guess = format!("{}x", &path[..path.len() - 1]);
    assert_eq!(world.post(&guess, json!({})).await.status, 404);
    let answered = world.post(path, json!({"paid": true})).await;
    assert_eq!((answered.status.as_u16(), &answered.body), (200, &json!({"accepted": true})), "{}", answered.text);
    let run = ended(&world, &run).await;
    assert_eq!(
        (&run["status"], &run["output"]["body"], &run["output"]["method"]),
        (&json!("success"), &json!({"paid": true}), &json!("POST"))
    );
    assert_eq!(world.post(path, json!({})).await.status, 404, "the run has ended");
}

#[tokio::test]
async fn a_question_is_listed_and_answered_by_a_person() {
    let world = World::dev().await.driving().await;
    let form = json!({"amount": {"type": "integer", "required": true}});
    let run = waiting(
        &world,
        json!([
            {"id": "ask", "action": "logic.approval", "params": {"message": "Refund ${inputs.order}?", "form": form, "timeout": "2d"}},
            {"id": "pay", "needs": ["ask:approved"], "action": "logic.set", "params": {"amount": "${steps.ask.output.form.amount}"}},
            {"id": "tell", "needs": ["ask:rejected"], "action": "logic.set", "params": {"text": "no"}},
        ]),
    )
    .await;
    let listed = world.get("/api/approvals").await;
    let question = &listed.body["approvals"][0];
    assert_eq!((&listed.body["total"], &question["message"], &question["run_id"]), (&json!(1), &json!("Refund 7?"), &json!(run)));
    assert!(question["until"].is_string() && question["form"]["amount"].is_object(), "{question}");
    let path = format!("/api/approvals/{}", question["id"].as_str().unwrap());
    let unfilled = world.post(&path, json!({"approved": true})).await;
    assert_eq!((unfilled.status.as_u16(), &unfilled.body["errors"][0]["pointer"]), (422, &json!("/form/amount")), "{}", unfilled.text);
    let answered = world.post(&path, json!({"approved": true, "form": {"amount": 5}, "comment": "fine"})).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    let second = world.post(&path, json!({"approved": false})).await;
    assert!(second.status == 409 || second.status == 404, "{}", second.text);
    let run = ended(&world, &run).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("success"), &json!({"amount": 5})));
    let ask = &run["steps"][0];
    assert_eq!((&ask["port"], &ask["output"]["comment"]), (&json!("approved"), &json!("fine")));
    assert!(ask["message"].as_str().unwrap().starts_with("approved by "), "{ask}");
    assert_eq!(world.get("/api/approvals").await.body["total"], 0);
    assert_eq!(world.post("/api/approvals/nothing", json!({"approved": true})).await.status, 404);
}

#[tokio::test]
async fn a_wait_that_nobody_ends_goes_on_by_its_port() {
    let world = World::dev().await.driving().await;
    let steps = json!([
        {"id": "w", "action": "logic.wait_for_event", "params": {"type": "never", "timeout": "1500ms"}},
        {"id": "late", "needs": ["w:timeout"], "action": "logic.set", "params": {"late": true}},
    ]);
    let run = waiting(&world, steps).await;
    let run = ended(&world, &run).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("success"), &json!({"late": true})));
}
