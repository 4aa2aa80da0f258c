//! The same as server-sent events.

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{Owner, UserId};
use mainspring_model::role::Role;
use serde_json::{Value, json};

use crate::http::world::{World, ask, json_request};

pub(super) struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    pub(super) async fn open(world: &World, topics: &str, after: Option<&str>) -> Stream {
        Stream::of(world, &format!("/api/live?topics={topics}"), after, None).await
    }

    async fn of(world: &World, path: &str, after: Option<&str>, key: Option<&str>) -> Stream {
        let mut request = ask(Method::GET, path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_becomes_private_is_not_followed_on() {
    let clock = FakeClock::at(1_800_000_000_000);
    let world = World::at(World::settings(), clock.clone()).await;
    let (ada, adas) = world.key().await;
    let bob = Owner { org: ada.org, user: UserId(world.app.engine.new_id()) };
    world.joins(bob, Role::Member).await;
    let bobs = world.key_of(bob, None).await;
    let send = async |key: &str, method: Method, path: &str, body: Value| {
        let mut request = json_request(method, path, &body);
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        let answer = world.send(request).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.body
    };
    let waiting = json!({"name": "Waits", "steps": [{"id": "a", "action": "logic.sleep", "params": {"for": "1h"}}]});
    let plan = send(&adas, Method::POST, "/api/plans", waiting).await["plan"]["id"].as_str().unwrap().to_owned();
    let run = send(&adas, Method::POST, "/api/execute", json!({"plan_id": plan, "wait": false})).await;
    let run = run["execution"]["id"].as_str().unwrap().to_owned();
    let mut whole = Stream::of(&world, &format!("/api/live?topics=plan:{plan},run:{run}"), None, Some(&bobs)).await;
    let mut one = Stream::of(&world, &format!("/api/runs/{run}/events"), None, Some(&bobs)).await;
    send(&adas, Method::PUT, &format!("/api/plans/{plan}/sharing"), json!({"visibility": "private"})).await;
    // Less than the run takes: what ends the streams is that they are looked at again.
    let moving = clock.clone();
    let mover = tokio::spawn(async move {
        for _ in 0..600 {
            moving.advance_to(moving.now() + 1_000);
            tokio::task::yield_now().await;
        }
    });
    let ends = async {
        let mut ended = 0;
        while let Some((_, name, _)) = whole.next().await {
            ended += usize::from(name == "end");
        }
        while one.body.frame().await.is_some() {}
        ended
    };
    assert_eq!(tokio::time::timeout(std::time::Duration::from_secs(60), ends).await.expect("both end"), 2);
    mover.abort();
}
