//! The conventions, as one table of requests and refusals.

use axum::body::Body;
use http::{Method, Request};
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::{World, ask, doubling, plain};

/// Status, code and detail of a refusal, and that it has everything that RFC 9457 and the earlier callers want.
async fn refusal(world: &World, request: Request<Body>) -> Value {
    let path = request.uri().path().to_owned();
    let answer = world.send(request).await;
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.text);
    let body = &answer.body;
    assert_eq!(body["status"], answer.status.as_u16());
    assert_eq!(body["type"], format!("/docs/errors/{}", body["code"].as_str().unwrap()));
    assert_eq!((&body["instance"], &body["error"]), (&json!(path), &body["detail"]));
    assert_eq!(body["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let mut said = json!({"status": body["status"], "code": body["code"], "detail": body["detail"], "errors": body["errors"]});
    for name in ["allow", "retry-after", "www-authenticate"] {
        if let Some(value) = answer.headers.get(name) {
            said[name] = json!(value.to_str().unwrap());
        }
    }
    plain(&said)
}

fn post(path: &str, content_type: Option<&str>, body: &str) -> Request<Body> {
    let mut request = ask(Method::POST, path);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn get(path: &str) -> Request<Body> {
    ask(Method::GET, path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let world = World::dev().await;
    let json = Some("application/json");
    let with = |name: &str, value: &str| ask(Method::GET, "/api/plans").header(name, value).body(Body::empty()).unwrap();
    let cases = [
        ("unknown address", get("/api/nothing/here")),
        ("wrong method", ask(Method::PATCH, "/api/plans").body(Body::empty()).unwrap()),
        ("unknown id", get("/api/plans/019a0000-0000-7000-8000-000000000000")),
        ("no id", get("/api/runs/seven")),
        ("no content type", post("/api/plans", None, "{}")),
        ("form", post("/api/plans", Some("application/x-www-form-urlencoded"), "a=1")),
        ("broken JSON", post("/api/plans", json, "{\n  \"name\": \"x\",,\n}")),
        ("empty body", post("/api/plans", json, "")),
        ("no object", post("/api/execute", json, "[]")),
        ("missing field", post("/api/execute", json, "{}")),
        ("unknown field", post("/api/execute", json, r#"{"plan_id": "x", "input": {}}"#)),
        ("wrong type", post("/api/execute", json, r#"{"plan_id": 7}"#)),
        ("limit", get("/api/plans?limit=0")),
        ("limit text", get("/api/runs?limit=many")),
        ("cursor", get("/api/plans?cursor=%F0%9F%98%80")),
        ("status", get("/api/runs?status=done")),
        ("time", get("/api/execution-logs?since=yesterday")),
        ("query id", get("/api/execution-logs?plan_id=1")),
        ("unknown provider", get("/api/providers/htp")),
        ("organization", with("x-organization", "acme")),
        (
            "If-Match",
            ask(Method::DELETE, "/api/plans/019a0000-0000-7000-8000-000000000000")
                .header("if-match", "\"abc\"")
                .body(Body::empty())
                .unwrap(),
        ),
        ("Last-Event-ID", ask(Method::GET, "/api/runs/019a0000-0000-7000-8000-000000000000/events").body(Body::empty()).unwrap()),
    ];
    let mut table = serde_json::Map::new();
    for (name, request) in cases {
        table.insert(name.to_owned(), refusal(&world, request).await);
    }
    assert_json_snapshot!(table);
}

#[tokio::test]
async fn dev_mode_refuses_foreign_names_and_pages() {
    let world = World::dev().await;
    let status = async |host: &str, origin: Option<&str>| {
        let mut request = Request::get("/api/health").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    for host in ["localhost", "localhost:5000", "LOCALHOST.:5000", "127.0.0.1:8080", "[::1]:5000"] {
        assert_eq!(status(host, None).await, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.1.7:5000", "[fe80::1]", ""] {
        assert_eq!(status(host, None).await, 421, "{host}");
    }
    assert_eq!(status("localhost:5000", Some("http://localhost:5000")).await, 200);
    for origin in ["null", "http://evil.example", "http://localhost:3000", "http://localhost", "file://", "localhost:5000"] {
        assert_eq!(status("localhost:5000", Some(origin)).await, 403, "{origin}");
    }
    let absolute = Request::get("http://evil.example/api/health").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(world.send(absolute).await.status, 421);
}

#[tokio::test]
async fn listed_origins_may_call() {
    let settings =
        mainspring_server::settings::Settings { dev: true, cors_origins: vec!["http://ui.example".to_owned()], ..World::settings() };
    let world = World::with(settings).await;
    let preflight =
        ask(Method::OPTIONS, "/api/plans").header("origin", "http://ui.example").header("access-control-request-method", "POST");
    let answer = world.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["access-control-allow-origin"]), (204, &"http://ui.example".parse().unwrap()));
    let answer = world.send(ask(Method::GET, "/api/plans").header("origin", "http://ui.example").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["access-control-allow-origin"]), (200, &"http://ui.example".parse().unwrap()));
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let world = World::dev().await;
    let declared = ask(Method::POST, "/api/plans").header("content-type", "application/json").header("content-length", 11 << 20);
    // The body never comes: only the declared length can have been looked at.
    let said =
        refusal(&world, declared.body(Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>())).unwrap())
            .await;
    assert_eq!((&said["status"], &said["code"]), (&json!(413), &json!("PAYLOAD_TOO_LARGE")));
    let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 1 << 20])));
    let undeclared = ask(Method::POST, "/api/plans").header("content-type", "application/json").body(Body::from_stream(chunks)).unwrap();
    assert_eq!(refusal(&world, undeclared).await["status"], 413);
    let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 1 << 20])));
    world.plan(webhook_plan()).await;
    let hook = ask(Method::POST, "/api/webhook/big").body(Body::from_stream(chunks)).unwrap();
    assert_eq!(refusal(&world, hook).await["status"], 413);
}

fn webhook_plan() -> Value {
    let mut plan = doubling("big");
    plan["triggers"] = json!([{"type": "webhook", "path": "big"}]);
    plan
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_not_kept() {
    let world = World::dev().await;
    let (first, second) = (world.get("/api/health").await, world.get("/api/nothing").await);
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
    for answer in [first, second] {
        assert_eq!(
            (&answer.headers["cache-control"], &answer.headers["x-content-type-options"]),
            (&"no-store".parse().unwrap(), &"nosniff".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn lists_are_paged() {
    let world = World::dev().await;
    for number in 0..5 {
        world.plan(doubling(&format!("plan {number}"))).await;
    }
    let mut names: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("/api/plans?limit=2&cursor={cursor}")).await.body;
        names.extend(page["plans"].as_array().unwrap().iter().map(|plan| plan["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["plan 4", "plan 3", "plan 2", "plan 1", "plan 0"]);
}
