//! Private plans: there for whom they are shared with, whichever way somebody comes.

use http::Method;
use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::organizations::{joined, request, send};
use super::world::{World, doubling};

#[tokio::test]
async fn a_private_plan_is_there_for_those_it_is_shared_with() {
    let world = World::keyed().await;
    let (ada, owners) = world.key().await;
    let (_, mine) = joined(&world, ada.org, Role::Member).await;
    let (friend, friends) = joined(&world, ada.org, Role::Member).await;
    let (_, others) = joined(&world, ada.org, Role::Member).await;
    let plan = send(&world, &mine, Method::POST, "/api/plans", doubling("Private")).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let executed = send(&world, &mine, Method::POST, "/api/execute", json!({"plan_id": plan, "inputs": {"n": 1}})).await;
    let run = executed.body["execution"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        send(&world, &mine, Method::POST, &format!("/api/plans/{plan}/schedule"), json!({"cron_expression": "@daily"})).await.status,
        200
    );
    let (sharing, path) = (format!("/api/plans/{plan}/sharing"), format!("/api/plans/{plan}"));
    let view = json!({"visibility": "private", "shared_with": [{"user_id": friend.user, "access": "view"}]});
    assert_eq!(send(&world, &others, Method::PUT, &sharing, view.clone()).await.status, 403, "not theirs to share");
    let set = send(&world, &mine, Method::PUT, &sharing, view).await;
    assert_eq!((set.status.as_u16(), &set.body["visibility"]), (200, &json!("private")), "{}", set.text);
    for (body, pointer) in [
        (json!({"visibility": "secret"}), "/visibility"),
        (json!({"visibility": "private", "shared_with": [{"user_id": ada.org, "access": "view"}]}), "/shared_with/0/user_id"),
        (json!({"visibility": "private", "shared_with": [{"user_id": friend.user, "access": "own"}]}), "/shared_with/0/access"),
    ] {
        let refused = send(&world, &mine, Method::PUT, &sharing, body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{}", refused.text);
    }
    // For the others there is neither the plan, nor a run, a log or a schedule of it.
    let events = format!("/api/runs/{run}/events");
    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::GET, sharing.clone(), None),
        (Method::GET, format!("{path}/versions"), None),
        (Method::PUT, path.clone(), Some(doubling("Taken"))),
        (Method::POST, format!("{path}/schedule"), Some(json!({"cron_expression": "@hourly"}))),
        (Method::POST, format!("{path}/unschedule"), Some(json!({}))),
        (Method::POST, "/api/execute".to_owned(), Some(json!({"plan_id": plan, "inputs": {"n": 1}}))),
        (Method::GET, format!("/api/runs/{run}"), None),
        (Method::POST, format!("/api/runs/{run}/cancel"), Some(json!({}))),
        (Method::GET, events.clone(), None),
        (Method::GET, format!("/api/live?topics=run:{run}"), None),
        (Method::GET, format!("/api/live?topics=plan:{plan}"), None),
    ] {
        let status = world.status(request(&others, method.clone(), &path, body)).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    for (list, items) in [
        ("/api/plans", "plans"),
        ("/api/execution-plans", "plans"),
        ("/api/runs", "runs"),
        ("/api/execution-logs", "logs"),
        ("/api/scheduler/jobs", "jobs"),
        ("/api/monitoring/status", "recent_activity"),
    ] {
        assert_eq!(send(&world, &others, Method::GET, list, None).await.body[items], json!([]), "{list}");
        for key in [&mine, &friends, &owners] {
            assert_ne!(send(&world, key, Method::GET, list, None).await.body[items], json!([]), "{list}");
        }
    }
    // Who may look may start it and not change it; who may edit may.
    let execute = json!({"plan_id": plan, "inputs": {"n": 2}});
    assert_eq!(send(&world, &friends, Method::POST, "/api/execute", execute).await.body["success"], true);
    assert_eq!(send(&world, &friends, Method::PUT, &path, doubling("Mine")).await.status, 403);
    assert_eq!(send(&world, &friends, Method::POST, &format!("{path}/unschedule"), json!({})).await.status, 403);
    assert_eq!(world.status(request(&friends, Method::GET, &events, None)).await, 200);
    let edit = json!({"visibility": "private", "shared_with": [{"user_id": friend.user, "access": "edit"}]});
    assert_eq!(send(&world, &owners, Method::PUT, &sharing, edit).await.status, 200, "an admin may");
    assert_eq!(send(&world, &friends, Method::PUT, &path, doubling("Ours")).await.status, 200);
    assert_eq!(send(&world, &friends, Method::PUT, &sharing, json!({"visibility": "organization"})).await.status, 403);
    assert_eq!(send(&world, &mine, Method::PUT, &sharing, json!({"visibility": "organization"})).await.status, 200);
    assert_eq!(send(&world, &others, Method::GET, &path, None).await.status, 200);
}

#[tokio::test]
async fn a_private_plan_is_called_only_for_whom_it_is_there() {
    let world = World::keyed().await;
    let (ada, owners) = world.key().await;
    let (_, mine) = joined(&world, ada.org, Role::Member).await;
    let (friend, friends) = joined(&world, ada.org, Role::Member).await;
    let made = async |key: &str, document: Value| {
        send(&world, key, Method::POST, "/api/plans", document).await.body["plan"]["id"].as_str().unwrap().to_owned()
    };
    let private = made(&mine, doubling("Private")).await;
    let calls =
        |plan: &str| json!({"name": "Calls", "steps": [{"id": "c", "action": "logic.call", "params": {"plan": plan, "inputs": {"n": 2}}}]});
    let callers = [made(&friends, calls(&private)).await, made(&friends, calls("Private")).await];
    let share = async |with: Value| {
        let body = json!({"visibility": "private", "shared_with": with});
        assert_eq!(send(&world, &mine, Method::PUT, &format!("/api/plans/{private}/sharing"), body).await.status, 200);
    };
    let outcome = async |key: &str, plan: &str| {
        let answer = send(&world, key, Method::POST, "/api/execute", json!({"plan_id": plan})).await;
        (answer.body["success"] == true, answer.text)
    };
    assert!(outcome(&friends, &callers[0]).await.0, "the whole organization's");
    share(json!([])).await;
    for plan in &callers {
        let (done, text) = outcome(&friends, plan).await;
        assert!(!done && text.contains("there is no plan"), "{text}");
        assert!(outcome(&mine, plan).await.0 && outcome(&owners, plan).await.0, "judged by whose run it is");
    }
    share(json!([{"user_id": friend.user, "access": "view"}])).await;
    assert!(outcome(&friends, &callers[0]).await.0);
}
