//! Figures for monitoring: what is counted, and who may read it.

use axum::body::Body;
use http::Method;
use mainspring_model::credential::Secret;
use mainspring_server::metrics;
use mainspring_server::settings::Settings;
use serde_json::json;
use tokio::net::TcpListener;

use super::world::{World, ask};
use crate::servers::Client;

const TOKEN: &str = "a-token-for-the-monitor";

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no series {series} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let world = World::with(Settings { dev: true, metrics_token: Some(Secret::new(TOKEN.to_owned())), ..World::settings() }).await;
    let good = world.plan(json!({"name": "Good", "steps": [{"id": "a", "action": "logic.set", "params": {"x": 1}}]})).await;
    let bad = json!({"name": "Bad", "steps": [{"id": "a", "action": "logic.fail", "params": {"code": "USER_NO", "message": "no"}}]});
    let bad = world.plan(bad).await;
    for plan in [&good, &good, &bad] {
        world.post("/api/execute", json!({"plan_id": plan})).await;
    }
    world.get("/api/plans/unknown").await;
    let asked = ask(Method::GET, "/metrics").header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
    let answer = world.send(asked).await;
    assert_eq!(answer.headers["content-type"], metrics::CONTENT_TYPE);
    let text = answer.text;
    assert_eq!(value(&text, "mainspring_runs_started_total{trigger=\"manual\"}"), 3.0);
    assert_eq!(value(&text, "mainspring_runs_ended_total{status=\"success\"}"), 2.0);
    assert_eq!(value(&text, "mainspring_runs_ended_total{status=\"error\"}"), 1.0);
    assert_eq!(value(&text, "mainspring_step_attempts_total{provider=\"logic\",status=\"success\"}"), 2.0);
    assert_eq!(value(&text, "mainspring_step_attempts_total{provider=\"logic\",status=\"error\"}"), 1.0);
    assert_eq!(value(&text, "mainspring_step_duration_seconds_count"), 3.0);
    assert_eq!(value(&text, "mainspring_http_requests_total{method=\"POST\",status=\"201\"}"), 2.0);
    assert_eq!(value(&text, "mainspring_loop_stuck{name=\"queue\"}"), 0.0);
    assert!(
        value(&text, "mainspring_database_connections_most{pool=\"readers\"}") >= 1.0 && value(&text, "mainspring_data_free_bytes") > 0.0
    );
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_figures_are_not_public() {
    let world = World::dev().await;
    assert_eq!(world.get("/metrics").await.status, 404, "not even in dev mode");
    let world = World::with(Settings { metrics_token: Some(Secret::new(TOKEN.to_owned())), ..World::settings() }).await;
    assert_eq!(world.get("/metrics").await.status, 401);
    let (_, key) = world.key().await;
    for wrong in [format!("Bearer {key}"), format!("Basic {TOKEN}"), "Bearer ".to_owned(), format!("Bearer {TOKEN}x")] {
        let asked = ask(Method::GET, "/metrics").header("authorization", &wrong).body(Body::empty()).unwrap();
        assert_eq!(world.send(asked).await.status, 401, "{wrong}");
    }
}

#[tokio::test]
async fn they_have_an_address_of_their_own_when_asked_for() {
    let world = World::dev().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = tokio::spawn(metrics::listen(world.app.clone(), listener));
    let mut client = Client::connect(address).await;
    let answer = client.send("GET", "/metrics", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, metrics::CONTENT_TYPE));
    assert!(value(std::str::from_utf8(&answer.body).unwrap(), "mainspring_uptime_seconds") >= 0.0);
    assert_eq!(client.send("GET", "/api/plans", &[], "").await.status, 404, "nothing but the figures is served there");
    listening.abort();
}
