//! The same as server-sent events.

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::http::world::{World, ask};

pub(super) struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    pub(super) async fn open(world: &World, topics: &str, after: Option<&str>) -> Stream {
        let mut request = ask(Method::GET, &format!("/api/live?topics={topics}"));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = tower::ServiceExt::oneshot(world.router.clone(), request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Stream { body: response.into_body(), text: String::new() }
    }

    /// Id, name and data of the next event; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
                if let Some(data) = field("data:") {
                    return Some((field("id:").unwrap(), field("event:").unwrap(), serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_behind_its_last_event() {
    let world = World::dev().await;
    let plan = world.plan(json!({"name": "Two", "steps": [{"id": "a", "action": "logic.set"}, {"id": "b", "action": "logic.set"}]})).await;
    let execute = async || world.post("/api/execute", json!({"plan_id": plan})).await.body["execution"]["id"].as_str().unwrap().to_owned();
    let run = execute().await;
    let topics = format!("runs,run:{run}");
    let mut stream = Stream::open(&world, &topics, None).await;
    let (first, name, data) = stream.next().await.unwrap();
    assert_eq!((name.as_str(), &data["event"]["seq"], &data["topic"]), ("step.finished", &json!(1), &json!(format!("run:{run}"))));
    drop(stream);
    let second = execute().await;
    let mut stream = Stream::open(&world, &topics, Some(&first)).await;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let (_, name, data) = stream.next().await.unwrap();
        let run = if data["event"]["run"]["id"] == json!(second) { "second" } else { "first" };
        seen.push(format!("{run} {name} {}", data["event"]["seq"]));
    }
    seen.sort();
    assert_eq!(
        seen,
        ["first end null", "first run.finished 3", "first step.finished 2", "second run.finished null", "second run.started null"]
    );
    // Only a run: the stream ends with it.
    let mut stream = Stream::open(&world, &format!("run:{run}"), Some("1")).await;
    let mut names = Vec::new();
    while let Some((_, name, _)) = stream.next().await {
        names.push(name);
    }
    assert_eq!(names, ["step.finished", "run.finished", "end"]);
}

#[tokio::test]
async fn what_cannot_be_streamed_says_why() {
    let world = World::dev().await;
    let nobodys = "run:0190b8a0-0000-7000-8000-000000000001";
    let many: Vec<String> = (0..21).map(|n| format!("plan:0190b8a0-0000-7000-8000-0000000000{n:02}")).collect();
    for (query, status, code) in [
        ("".to_owned(), 400, "INVALID_REQUEST"),
        ("?topics=".to_owned(), 400, "INVALID_REQUEST"),
        ("?topics=runs,all".to_owned(), 422, "UNKNOWN_TOPIC"),
        (format!("?topics={nobodys}"), 404, "NOT_FOUND"),
        (format!("?topics={}", many.join(",")), 422, "TOO_MANY_TOPICS"),
    ] {
        let answer = world.get(&format!("/api/live{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.body["code"].as_str().unwrap()), (status, code), "{query}");
    }
    let request = ask(Method::GET, "/api/live?topics=runs").header("last-event-id", "7,8");
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, 400);
    let plain: Request<Body> = ask(Method::GET, "/api/ws").body(Body::empty()).unwrap();
    let answer = world.send(plain).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (426, &json!("UPGRADE_REQUIRED")));
}
