//! What is told of runs, schedules and notices, and to whom.

use http::Method;
use serde_json::{Value, json};

use super::client::{Serving, Socket, kinds};
use crate::http::world::{World, json_request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_told_from_its_start_to_its_end_without_its_values() {
    let serving = Serving::dev().await;
    let plan = json!({"name": "Three", "steps": [
        {"id": "a", "action": "logic.set", "params": {"secret": "hunter2"}},
        {"id": "b", "if": "${false}", "action": "logic.set"},
        {"id": "c", "action": "logic.fail", "params": {"code": "USER_STOP", "message": "hunter2"}}]});
    let plan = serving.world.plan(plan).await;
    let mut list = serving.socket().await;
    for topic in ["runs", &format!("plan:{plan}"), "notices"] {
        assert_eq!(list.subscribe(topic, None).await["type"], "subscribed");
    }
    let run = serving.start(&plan, true).await;
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(list.next().await);
    }
    let of = |topic: &str| -> Vec<Value> { told.iter().filter(|frame| frame["topic"] == topic).cloned().collect() };
    assert_eq!(kinds(&of("runs")), ["run.started", "run.finished"]);
    assert_eq!(kinds(&of(&format!("plan:{plan}"))), ["run.started", "run.finished"]);
    let notices = of("notices");
    assert_eq!(notices[0]["event"]["notice"]["run_id"], json!(run), "{notices:?}");
    assert_eq!(notices[0]["event"]["notice"]["error"], "USER_STOP");

    let mut one = serving.socket().await;
    assert_eq!(one.subscribe(&format!("run:{run}"), None).await["id"], "0");
    let frames = one.until("end").await;
    assert_eq!(kinds(&frames), ["step.finished", "step.finished", "step.finished", "run.finished"], "{frames:#?}");
    let all = format!("{told:?}{frames:?}");
    assert!(!all.contains("hunter2"), "{all}");
    let shape = frames.iter().map(|frame| frame["event"].clone()).chain([notices[0]["event"].clone(), of("runs")[1]["event"].clone()]);
    insta::assert_json_snapshot!("events", shape.map(blank).collect::<Vec<_>>());
}

/// Without what differs from one time to the next.
fn blank(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        for (name, member) in members {
            *member = match name.as_str() {
                "at" | "latency_ms" => json!("…"),
                name if name.ends_with("id") || name.ends_with("_at") => json!("…"),
                _ => blank(member.take()),
            };
        }
    }
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_run_says_how_it_stands_and_goes_on() {
    let serving = Serving::dev().await;
    let steps = json!([{"id": "w", "action": "logic.sleep", "params": {"for": "4s"}}, {"id": "n", "action": "logic.set"}]);
    let plan = serving.world.plan(json!({"name": "Waits", "steps": steps})).await;
    let mut socket = serving.socket().await;
    socket.subscribe("runs", None).await;
    let run = serving.start(&plan, false).await;
    socket.subscribe(&format!("run:{run}"), None).await;
    let frames = socket.until("end").await;
    let frames = [frames, if_more(&mut socket).await].concat();
    let of_run: Vec<Value> = frames.iter().filter(|frame| frame["topic"] == format!("run:{run}")).cloned().collect();
    let of_list: Vec<Value> = frames.iter().filter(|frame| frame["topic"] == "runs").cloned().collect();
    let seen = kinds(&of_run);
    assert!(seen.contains(&"run.waiting") && seen.contains(&"step.waiting") && seen.ends_with(&["run.finished"]), "{seen:?}");
    let seen = kinds(&of_list);
    assert!(seen.starts_with(&["run.started", "run.waiting"]) && seen.ends_with(&["run.finished"]), "{seen:?}");
}

/// The list is told by a feed of its own, so its end may come after the run's.
async fn if_more(socket: &mut Socket) -> Vec<Value> {
    socket.say(json!({"op": "unsubscribe", "topic": "schedules"})).await;
    let mut frames = socket.until("unsubscribed").await;
    if !kinds(&frames).contains(&"run.finished") {
        frames.extend(socket.until("run.finished").await);
    }
    frames
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_are_told_when_they_come_fire_and_go() {
    let serving = Serving::dev().await;
    let engine = serving.world.app.engine.clone();
    tokio::spawn(async move { engine.serve_schedules().await });
    let mut socket = serving.socket().await;
    socket.subscribe("schedules", None).await;
    // Its first look is what later ones are held against.
    socket.say(json!({"op": "ping"})).await;
    socket.until("pong").await;
    let plan = json!({"name": "Ticks", "steps": [{"action": "logic.fail", "params": {"code": "USER_STOP", "message": "no"}}],
        "triggers": [{"id": "t", "type": "interval", "every": "1s"}]});
    let plan = serving.world.plan(plan).await;
    let mut frames = socket.until("schedule.failed").await;
    assert!(kinds(&frames).contains(&"schedule.fired"), "{frames:#?}");
    serving.world.delete(&format!("/api/plans/{plan}")).await;
    frames.extend(socket.until("schedule.removed").await);
    assert_eq!(frames[0]["event"]["schedule"]["plan_id"], json!(plan));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_organization_is_heard() {
    let world = World::keyed().await.driving().await;
    let ((_, ours), (_, theirs)) = (world.key().await, world.key().await);
    let serving = Serving::of(world).await;
    let send = async |key: &str, path: &str, body: Value| {
        let mut request = json_request(Method::POST, path, &body);
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        serving.world.send(request).await.body
    };
    let plan = json!({"name": "Ours", "steps": [{"id": "a", "action": "logic.set"}]});
    let plan = send(&ours, "/api/plans", plan).await["plan"]["id"].as_str().unwrap().to_owned();
    let run = send(&ours, "/api/execute", json!({"plan_id": plan})).await["execution"]["id"].as_str().unwrap().to_owned();

    let bearer = format!("Bearer {theirs}");
    let mut stranger = Socket::open(serving.address, &[("authorization", &bearer)]).await.unwrap();
    let nobodys = "0190b8a0-0000-7000-8000-000000000001";
    for kind in ["run", "plan"] {
        let id = if kind == "run" { &run } else { &plan };
        let existing = stranger.subscribe(&format!("{kind}:{id}"), None).await;
        let missing = stranger.subscribe(&format!("{kind}:{nobodys}"), None).await;
        assert_eq!((&existing["type"], &existing["code"]), (&json!("error"), &json!("NOT_FOUND")));
        let blank = |answer: &Value, id: &str| answer.to_string().replace(id, "ID");
        assert_eq!(blank(&existing, id), blank(&missing, nobodys), "the same answer as for what does not exist");
    }
    for topic in ["runs", "notices", "schedules"] {
        stranger.subscribe(topic, None).await;
    }
    // A browser's way to name a key.
    let offered = format!("mainspring.v1, bearer.{ours}");
    let mut owner = Socket::open(serving.address, &[("sec-websocket-protocol", &offered)]).await.unwrap();
    owner.subscribe("runs", None).await;
    send(&ours, "/api/execute", json!({"plan_id": plan})).await;
    owner.until("run.finished").await;
    send(&theirs, "/api/plans", json!({"name": "Theirs", "steps": [{"action": "logic.set"}]})).await;
    stranger.say(json!({"op": "ping"})).await;
    assert_eq!(stranger.next().await["type"], "pong", "nothing came before it");
    for headers in [vec![], vec![("authorization", "Bearer msk_wrong")], vec![("sec-websocket-protocol", "mainspring.v1")]] {
        assert!(Socket::open(serving.address, &headers).await.is_err(), "{headers:?}");
    }
    assert!(Socket::open(serving.address, &[("authorization", &bearer), ("origin", "https://evil.example")]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_removed_reads_no_further() {
    let mut settings = World::settings();
    settings.live.ping = 2_000;
    let world = World::with(settings).await;
    let (owner, key) = world.key().await;
    let serving = Serving::of(world).await;
    let mut socket = Socket::open(serving.address, &[("authorization", &format!("Bearer {key}"))]).await.unwrap();
    socket.subscribe("runs", None).await;
    let store = &serving.world.app.store;
    let id = store.list_api_keys(owner.org).await.unwrap()[0].id;
    assert!(store.delete_api_key(owner.org, id).await.unwrap());
    assert_eq!(socket.next().await, json!({"closed": 4001}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_are_closed_in_order_when_the_server_ends() {
    let mut serving = Serving::dev().await;
    let mut socket = serving.socket().await;
    socket.subscribe("runs", None).await;
    let ended = serving.stop();
    assert_eq!(socket.next().await, json!({"closed": 1001}));
    drop(socket);
    ended.await.unwrap();
}
