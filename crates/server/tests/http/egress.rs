//! Where an organization's plans go, and which outside hosts fail: the lists, who may change them, and that they hold.

use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{Answer, World, ask, json_request};
use crate::servers::server::Server;
use mainspring_model::id::Owner;

async fn send(world: &World, key: &str, mut request: Request<axum::body::Body>) -> Answer {
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    world.send(request).await
}

async fn fetch(world: &World, key: &str, url: &str) -> Value {
    let step = json!({"step": {"id": "a", "action": "http.request", "params": {"url": url}}});
    send(world, key, json_request(Method::POST, "/api/execute-step", &step)).await.body["error"].clone()
}

#[tokio::test]
async fn one_organizations_list_closes_its_own_ways_and_helps_no_other() {
    let world = World::keyed().await;
    let (one, two) = (world.key().await.1, world.key().await.1);
    let outside = Server::start(|_| http::Response::new(http_body_util::combinators::BoxBody::default())).await;
    let (by_address, by_name) = (outside.url("/"), outside.url("/").replace("127.0.0.1", "localhost"));
    for key in [&one, &two] {
        assert_eq!([fetch(&world, key, &by_address).await, fetch(&world, key, &by_name).await], [Value::Null, Value::Null]);
    }
    let rule = json!({"host": "LOCALHOST", "note": "only by name"});
    let added = send(&world, &one, json_request(Method::POST, "/api/organization/egress", &rule)).await;
    assert_eq!((added.status.as_u16(), &added.body["host"]), (201, &json!("localhost")), "{}", added.text);
    assert_eq!(fetch(&world, &one, &by_name).await, Value::Null);
    let asked = outside.asked().len();
    // The other's pooled connection is there to be taken, and is not.
    assert_eq!(fetch(&world, &one, &by_address).await, json!("BLOCKED_ADDRESS"));
    assert_eq!(outside.asked().len(), asked);
    assert_eq!(fetch(&world, &two, &by_address).await, Value::Null, "another organization has no list");

    // A list that names everything opens nothing that the operator refuses.
    for host in ["10.0.0.0/8", "169.254.169.254", "0.0.0.0/0"] {
        let answer = send(&world, &two, json_request(Method::POST, "/api/organization/egress", &json!({"host": host}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    for url in ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://0.0.0.0/"] {
        assert_eq!(fetch(&world, &two, url).await, json!("BLOCKED_ADDRESS"), "{url}");
    }
    assert_eq!(fetch(&world, &one, &by_address).await, json!("BLOCKED_ADDRESS"), "nor does it help the first");

    let remove = |host: &str| ask(Method::DELETE, &format!("/api/organization/egress/{host}")).body(axum::body::Body::empty()).unwrap();
    assert_eq!(send(&world, &two, remove("localhost")).await.status, 404, "it is another's");
    assert_eq!(send(&world, &two, remove("10.0.0.0%2F8")).await.status, 204);
    assert_eq!(send(&world, &one, remove("localhost")).await.status, 204);
    assert_eq!(fetch(&world, &one, &by_address).await, Value::Null, "without a list the operator's rules hold alone");
}

#[tokio::test]
async fn what_is_no_host_is_refused_by_its_field() {
    let world = World::dev().await;
    for host in ["", "*", "http://x", "a b", "2130706433", "10.0.0.0/33", &"a".repeat(300)] {
        let answer = world.post("/api/organization/egress", json!({"host": host})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["pointer"]), (422, &json!("/host")), "{host}: {}", answer.text);
    }
    let list = world.get("/api/organization/egress").await.body;
    assert_eq!(list, json!({"rules": [], "total": 0, "mode": "dev", "opens_private": false}));
}

#[tokio::test]
async fn a_host_that_fails_is_seen_and_let_out_again() {
    let world = World::dev().await;
    let outside = Server::start(|_| {
        let mut response = http::Response::new(http_body_util::combinators::BoxBody::default());
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response
    })
    .await;
    let call = async || {
        let step = json!({"step": {"id": "a", "action": "http.request", "params": {"url": outside.url("/")}}});
        world.post("/api/execute-step", step).await.body["error"].clone()
    };
    for _ in 0..10 {
        assert_eq!(call().await, json!("HTTP_503"));
    }
    assert_eq!(call().await, json!("CIRCUIT_OPEN"));
    let host = outside.address.to_string();
    let seen = world.get("/api/hosts").await.body;
    assert_eq!((&seen["total"], &seen["hosts"][0]["host"], &seen["hosts"][0]["failures"]), (&json!(1), &json!(host), &json!(10)));
    assert_eq!((&seen["hosts"][0]["last_error"], seen["hosts"][0]["opened_at"].is_string()), (&json!("HTTP_503"), true));
    let figures = world.app.metrics.text(&world.app);
    assert!(figures.contains("mainspring_calls_held_back_total 1"), "{figures}");
    assert!(
        figures.contains("mainspring_outside_hosts{state=\"open\"} 1")
            || figures.contains("mainspring_outside_hosts{state=\"half_open\"} 1")
    );

    let reset = world.post(&format!("/api/hosts/{host}/reset"), json!({})).await;
    assert_eq!((reset.status.as_u16(), &reset.body), (200, &json!({"host": host, "was_known": true})));
    assert_eq!(call().await, json!("HTTP_503"));
    assert_eq!(world.get("/api/hosts").await.body["hosts"][0]["failures"], json!(1));
    assert!(world.app.egress.breaker().hosts(Some(Owner::LOCAL.org), world.app.clock.now()).len() == 1);
}
