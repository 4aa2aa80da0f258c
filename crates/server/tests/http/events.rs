//! Following a run: the history and what comes, each once and in order.

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::{World, ask, doubling, plain};

/// The events of a stream's text.
fn read(text: &str) -> Vec<Value> {
    let event = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some(json!({"event": field("event:")?, "id": field("id:"), "data": serde_json::from_str::<Value>(field("data:")?).ok()?}))
    };
    text.split("\n\n").filter_map(event).collect()
}

#[tokio::test]
async fn an_ended_run_is_told_from_its_beginning_or_from_where_it_broke() {
    let world = World::dev().await;
    let id = world.plan(doubling("Double")).await;
    let executed = world.post("/api/execute", json!({"plan_id": id, "inputs": {"n": 2}})).await;
    let path = format!("/api/runs/{}/events", executed.body["execution"]["id"].as_str().unwrap());
    let whole = world.get(&path).await;
    assert_eq!(whole.headers["content-type"], "text/event-stream");
    let events = read(&whole.text);
    let shown: Vec<Value> = events
        .iter()
        .map(|event| {
            let mut event = plain(event);
            event["data"]["latency_us"].take();
            event
        })
        .collect();
    assert_json_snapshot!(shown);
    let resumed = world.send(ask(Method::GET, &path).header("last-event-id", "1").body(Body::empty()).unwrap()).await;
    assert_eq!(read(&resumed.text), events[1..]);
    let all = events.len().to_string();
    let nothing = world.send(ask(Method::GET, &path).header("last-event-id", all).body(Body::empty()).unwrap()).await;
    assert_eq!(read(&nothing.text), [] as [Value; 0]);
    let wrong = world.send(ask(Method::GET, &path).header("last-event-id", "x").body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_live_run_is_followed_without_gap_or_double() {
    let world = World::dev().await.driving().await;
    let server = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(200).set_body_json(json!({"ok": true})))
        .mount(&server)
        .await;
    let plan = json!({"name": "Calls", "steps": [
        {"id": "wait", "action": "logic.sleep", "params": {"for": "2s"}},
        {"id": "calls", "for_each": [1, 2, 3, 4, 5], "action": "http.request", "params": {"url": server.uri()}},
    ]});
    let id = world.plan(plan).await;
    let started = world.post("/api/execute", json!({"plan_id": id})).await;
    assert_eq!(started.status, 202, "{}", started.text);
    let path = format!("{}/events", started.headers["location"].to_str().unwrap());
    let request = ask(Method::GET, &path).body(Body::empty()).unwrap();
    let mut body = world.router.clone().oneshot(request).await.unwrap().into_body();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
    }
    let events = read(&text);
    let ids: Vec<u64> = events.iter().filter_map(|event| event["id"].as_str()?.parse().ok()).collect();
    let expected: Vec<u64> = (1..=ids.len() as u64).collect();
    assert_eq!(ids, expected, "{text}");
    assert_eq!(events.iter().filter(|event| event["event"] == "attempting").count(), 5);
    assert_eq!(events.last().unwrap()["event"], "finished");
}
