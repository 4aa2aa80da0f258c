//! Schedules as the earlier callers set them.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::{World, plain};

fn digest() -> Value {
    json!({"name": "Digest", "steps": [{"action": "logic.set", "params": {}}]})
}

#[tokio::test]
async fn a_plan_is_scheduled_moved_and_unscheduled() {
    let world = World::dev().await;
    let id = world.plan(digest()).await;
    let path = format!("/api/plans/{id}");
    let scheduled =
        world.post(&format!("{path}/schedule"), json!({"cron_expression": "0 9 * * *", "timezone": "Europe/Berlin", "user_id": "x"})).await;
    assert_json_snapshot!("scheduled", plain(&scheduled.body));
    assert_json_snapshot!("jobs", plain(&world.get("/api/scheduler/jobs").await.body));
    let moved = world.post(&format!("/api/execution-plans/{id}/schedule"), json!({"cron_expression": "@hourly"})).await;
    assert_json_snapshot!("family_2", plain(&moved.body));
    let plan = world.get(&path).await.body;
    assert_eq!(
        (&plan["plan"]["version"], &plan["plan"]["triggers"]),
        (&json!(3), &json!([{"id": "schedule", "type": "cron", "cron": "@hourly"}]))
    );
    let unscheduled = world.post(&format!("{path}/unschedule"), json!({"user_id": "x"})).await;
    assert_eq!(unscheduled.body, json!({"success": true, "plan_id": id}));
    assert_eq!(world.get("/api/scheduler/jobs").await.body, json!({"jobs": [], "total": 0}));
    // Once more is no change, and without a body it is the same.
    assert_eq!(world.delete(&format!("{path}/schedule")).await.body["success"], true);
    assert_eq!(world.get(&path).await.body["plan"]["version"], 4);
}

#[tokio::test]
async fn setting_a_schedule_keeps_what_else_its_trigger_says() {
    let world = World::dev().await;
    let mut document = digest();
    document["inputs"] = json!({"day": {"type": "string"}});
    document["triggers"] = json!([
        {"id": "morning", "type": "cron", "cron": "0 8 * * *", "inputs": {"day": "${trigger.due_at}"}},
        {"id": "often", "type": "interval", "every": "5m"},
        {"id": "call", "type": "webhook", "path": "digest"},
    ]);
    let id = world.plan(document).await;
    let jobs = world.get("/api/scheduler/jobs").await.body;
    let ids: Vec<&str> = jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids.iter().filter(|job| **job == format!("plan_{id}")).count()), (2, 1));
    world.post(&format!("/api/plans/{id}/schedule"), json!({"cron_expression": "0 10 * * *"})).await;
    let triggers = world.get(&format!("/api/plans/{id}")).await.body["plan"]["triggers"].clone();
    let expected = json!([
        {"id": "call", "type": "webhook", "path": "digest"},
        {"id": "morning", "type": "cron", "cron": "0 10 * * *", "inputs": {"day": "${trigger.due_at}"}},
    ]);
    assert_eq!(triggers, expected);
}

#[tokio::test]
async fn a_wrong_rule_says_which_field() {
    let world = World::dev().await;
    let id = world.plan(digest()).await;
    let path = format!("/api/plans/{id}/schedule");
    let wrong = world.post(&path, json!({"cron_expression": "61 * * * *"})).await;
    assert_eq!(wrong.status, 422);
    assert_json_snapshot!("wrong_minute", plain(&wrong.body));
    let zone = world.post(&path, json!({"cron_expression": "* * * * *", "timezone": "Europe/Berln"})).await;
    assert_eq!((zone.status.as_u16(), &zone.body["errors"][0]["pointer"]), (422, &json!("/timezone")));
    assert_eq!(
        world.post("/api/plans/019a0000-0000-7000-8000-000000000000/schedule", json!({"cron_expression": "* * * * *"})).await.status,
        404
    );
}

#[tokio::test]
async fn the_next_moments_are_shown_of_a_plan_and_of_a_rule() {
    let world = World::dev().await;
    let mut document = digest();
    document["triggers"] = json!([
        {"id": "night", "type": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"},
        {"id": "often", "type": "interval", "every": "90m"},
        {"id": "told", "type": "event", "event_type": "x"},
    ]);
    let id = world.plan(document).await;
    let path = format!("/api/plans/{id}/schedule/next");
    let shown = world.get(&format!("{path}?count=2&after=2026-03-28T12:00:00Z")).await.body;
    let ids: Vec<&str> = shown["schedules"].as_array().unwrap().iter().map(|schedule| schedule["trigger_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["night", "often"]);
    let night = &shown["schedules"][0];
    assert_eq!(
        (&night["timezone"], &night["next"][0]["local"]),
        (&json!("Europe/Berlin"), &json!("Sun 2026-03-29 03:00:00 CEST")),
        "{shown}"
    );
    assert!(night["next"][0]["note"].as_str().unwrap().contains("does not exist"), "{shown}");
    assert!(night["next"][1].get("note").is_none(), "{shown}");
    let jobs = world.get("/api/scheduler/jobs").await.body;
    let due = jobs["jobs"].as_array().unwrap().iter().find(|job| job["trigger_id"] == "often").unwrap()["next_run"].clone();
    assert_eq!(world.get(&path).await.body["schedules"][1]["next"][0]["utc"], due, "as it is due");
    let rule = world
        .get("/api/schedules/preview?cron=0%209%20*%20*%20MON-FRI&timezone=Europe/Berlin&count=1&after=2026-03-27T12:00:00Z")
        .await
        .body;
    assert_eq!(rule["next"], json!([{"utc": "2026-03-30T07:00:00Z", "local": "Mon 2026-03-30 09:00:00 CEST"}]));
    for (query, status, field) in [
        ("cron=61%20*%20*%20*%20*", 422, "cron"),
        ("timezone=Mars", 422, "timezone"),
        ("cron=every%200s", 422, "cron"),
        ("count=1001", 400, "count"),
        ("after=soon", 400, "after"),
    ] {
        let wrong = world.get(&format!("/api/schedules/preview?{query}")).await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["pointer"]), (status, &json!(field)), "{query}: {}", wrong.text);
    }
}
