//! Versions of plans over HTTP: history, differences, drafts, and runs that go on by another one.

use http::Method;
use serde_json::{Value, json};

use super::world::{World, json_request};

fn saying(text: &str) -> Value {
    json!({"name": "Says", "triggers": [{"type": "webhook", "path": "says", "respond": "last_step"}],
        "steps": [{"id": "a", "action": "logic.set", "params": {"said": text}}]})
}

async fn saved(world: &World, path: &str, text: &str, beside: Value) -> Value {
    let mut document = saying(text);
    document.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
    let answer = world.put(path, document).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["plan"].clone()
}

/// What the webhook's run said.
async fn said(world: &World) -> Value {
    let answer = world.post("/api/webhook/says", json!({})).await;
    answer.body["said"].clone()
}

#[tokio::test]
async fn history_says_who_when_and_why_and_a_rollback_is_a_new_version() {
    let world = World::dev().await.driving().await;
    let path = format!("/api/plans/{}", world.plan(saying("one")).await);
    saved(&world, &path, "two", json!({"note": "louder"})).await;
    let list = world.get(&format!("{path}/versions")).await;
    let newest = &list.body["versions"][0];
    assert_eq!((&newest["version"], &newest["current"], &newest["note"]), (&json!(2), &json!(true), &json!("louder")), "{}", list.text);
    assert!(newest["by"].is_string() && newest["created_at"].is_string() && newest["published_at"].is_string(), "{newest}");
    let paged = world.get(&format!("{path}/versions?limit=1")).await;
    let next = paged.body["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("{path}/versions?limit=1&cursor={next}")).await.body["versions"][0]["version"], 1);

    let first = world.get(&format!("{path}/versions/1")).await;
    assert_eq!((&first.body["plan"]["steps"][0]["params"]["said"], &first.body["version"]["version"]), (&json!("one"), &json!(1)));
    assert_eq!(world.get(&format!("{path}/versions/9")).await.status, 404);
    let diff = world.get(&format!("{path}/versions/1/diff?to=2")).await;
    assert_eq!(diff.body["text"], "~ step a\n    ~ params.said: \"one\" → \"two\"\n", "{}", diff.text);
    assert_eq!(
        diff.body["changes"][0],
        json!({"part": "step", "kind": "changed", "id": "a", "path": "params.said", "from": "one", "to": "two"})
    );
    assert_eq!(world.get(&format!("{path}/versions/1/diff")).await.body["to"], 2);
    assert_eq!(world.get(&format!("{path}/versions/2/diff?to=two")).await.status, 400);

    let back = world.post(&format!("{path}/rollback"), json!({"version": 1})).await;
    assert_eq!((back.status.as_u16(), &back.body["plan"]["version"]), (200, &json!(3)), "{}", back.text);
    assert_eq!(said(&world).await, "one");
    let newest = world.get(&format!("{path}/versions")).await.body["versions"][0].clone();
    assert_eq!((&newest["version"], &newest["note"]), (&json!(3), &json!("rolled back to version 1")));
    assert_eq!(world.post(&format!("{path}/rollback"), json!({"version": 1})).await.body["plan"]["version"], 3, "it is that already");
    assert_eq!(world.post(&format!("{path}/rollback"), json!({"version": 77})).await.status, 404);
    let long = world.post(&format!("{path}/rollback"), json!({"version": 1, "note": "n".repeat(501)})).await;
    assert_eq!((long.status.as_u16(), &long.body["errors"][0]["pointer"]), (422, &json!("/note")));
}

#[tokio::test]
async fn a_draft_runs_by_hand_alone_until_it_is_published() {
    let world = World::dev().await.driving().await;
    let id = world.plan(saying("one")).await;
    let path = format!("/api/plans/{id}");
    let drafted = saved(&world, &path, "two", json!({"draft": true})).await;
    assert_eq!((&drafted["version"], &drafted["draft"], &drafted["steps"][0]["params"]["said"]), (&json!(1), &json!(2), &json!("one")));
    assert_eq!(said(&world).await, "one");
    let run = async |draft: bool| world.post("/api/execute", json!({"plan_id": id, "draft": draft})).await;
    assert_eq!(run(false).await.body["execution"]["step_outputs"][0]["said"], "one");
    assert_eq!(run(true).await.body["execution"]["step_outputs"][0]["said"], "two");

    // Who saw an older draft publishes nothing unseen.
    saved(&world, &path, "three", json!({"draft": true})).await;
    assert_eq!(world.post(&format!("{path}/publish"), json!({"version": 2})).await.status, 412);
    let published = world.post(&format!("{path}/publish"), json!({"version": 3, "note": "at last"})).await;
    assert_eq!((&published.body["plan"]["version"], published.body["plan"].get("draft")), (&json!(3), None), "{}", published.text);
    assert_eq!(said(&world).await, "three");
    assert_eq!(world.post(&format!("{path}/publish"), json!({})).await.status, 409, "there is no draft any more");

    saved(&world, &path, "four", json!({"draft": true})).await;
    assert_eq!(world.post(&format!("{path}/discard"), json!({})).await.status, 200);
    assert_eq!(world.post(&format!("{path}/discard"), json!({})).await.status, 409);
    assert_eq!(run(true).await.status, 409);
    assert_eq!(said(&world).await, "three");
}

#[tokio::test]
async fn a_plan_that_is_only_a_draft_runs_by_nothing_else() {
    let world = World::dev().await.driving().await;
    let mut document = saying("one");
    document["draft"] = json!(true);
    let made = world.post("/api/plans", document).await;
    assert_eq!((made.status.as_u16(), &made.body["plan"]["version"], &made.body["plan"]["draft"]), (201, &json!(0), &json!(1)));
    let id = made.body["plan"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/plans/{id}");
    assert_eq!(world.post("/api/webhook/says", json!({})).await.status, 404);
    let refused = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("NOT_PUBLISHED")));
    let refused = world.post(&format!("{path}/schedule"), json!({"cron_expression": "@daily"})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("NOT_PUBLISHED")));
    let calls = world.plan(json!({"name": "Calls", "steps": [{"id": "c", "action": "logic.call", "params": {"plan": "Says"}}]})).await;
    let called = world.post("/api/execute", json!({"plan_id": calls})).await;
    assert_eq!(called.body["success"], false);
    assert!(called.text.contains("NOT_PUBLISHED"), "{}", called.text);
    assert_eq!(world.post("/api/execute", json!({"plan_id": id, "draft": true})).await.body["success"], true);
    assert_eq!(world.post(&format!("{path}/publish"), json!({})).await.body["plan"]["version"], 1);
    assert_eq!(said(&world).await, "one");
}

#[tokio::test]
async fn waiting_runs_move_where_what_they_did_fits() {
    let world = World::dev().await.driving().await;
    let steps = |until: &str, last: &str| {
        json!({"name": "Waits", "steps": [{"id": "w", "action": "logic.wait_for_event", "params": {"type": until}},
            {"id": "z", "action": "logic.set", "params": {"said": last}}]})
    };
    let id = world.plan(steps("paid", "old")).await;
    let path = format!("/api/plans/{id}");
    let started = world.post("/api/execute", json!({"plan_id": id})).await;
    let run = started.body["execution"]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.put(&path, steps("paid", "new")).await.body["plan"]["version"], 2);
    assert_eq!(world.put(&path, steps("sent", "new")).await.body["plan"]["version"], 3);

    let unfit = world.post(&format!("{path}/move-runs"), json!({})).await;
    assert_eq!((unfit.status.as_u16(), &unfit.body["to"], &unfit.body["moved"]), (200, &json!(3), &json!([])), "{}", unfit.text);
    let reason = "the run is in the step \"w\", which is another one in the new version";
    assert_eq!(unfit.body["refused"], json!([{"run_id": run, "from": 1, "reason": reason}]));
    let would = world.post(&format!("{path}/move-runs"), json!({"to": 2, "dry_run": true})).await;
    assert_eq!(would.body["moved"], json!([{"run_id": run, "from": 1}]));
    assert_eq!(world.get(&format!("/api/runs/{run}")).await.body["run"]["plan_version"], 1);
    let moved = world.send(json_request(Method::POST, &format!("{path}/move-runs"), &json!({"to": 2, "run_id": run}))).await;
    assert_eq!(moved.body["moved"], json!([{"run_id": run, "from": 1}]), "{}", moved.text);
    assert_eq!(world.post(&format!("{path}/move-runs"), json!({"to": 2})).await.body["moved"], json!([]), "it is there");

    assert_eq!(world.post("/api/events", json!({"type": "paid", "data": {}})).await.body["woken"], 1);
    world.get(&format!("/api/runs/{run}/events")).await;
    let ended = world.get(&format!("/api/runs/{run}")).await.body["run"].clone();
    assert_eq!((&ended["status"], &ended["output"]["said"], &ended["plan_version"]), (&json!("success"), &json!("new"), &json!(2)));
    let over = world.post(&format!("{path}/move-runs"), json!({"to": 3, "run_id": run})).await;
    assert_eq!(over.body["refused"][0]["reason"], "only a run that waits can be moved; it is in `success`");
}
