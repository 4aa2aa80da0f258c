//! Limits on requests: whose they are, what answers say about them, and that nobody gets around them by what they write.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use mainspring_model::clock::FakeClock;
use mainspring_server::limits::Terms;
use mainspring_server::settings::Settings;
use mainspring_vault::{OsEntropy, Token};
use serde_json::json;

use super::world::{Answer, World, ask, doubling};

const NOON: i64 = 1_800_000_000_000;

async fn limited(budgets: [u32; 2], proxies: &[&str]) -> (World, FakeClock) {
    let clock = FakeClock::at(NOON);
    let proxies = proxies.iter().map(|text| text.parse().unwrap()).collect();
    let settings = Settings { limits: Terms { budgets, proxies, ..Terms::default() }, ..World::settings() };
    (World::at(settings, clock.clone()).await, clock)
}

/// A request of somebody, with headers.
pub async fn from(world: &World, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = ask(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request: Request<Body> = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(SocketAddr::new(peer.parse().unwrap(), 40_000)));
    world.send(request).await
}

/// Limit, remaining and reset, as the headers say.
pub fn told(answer: &Answer) -> Option<[u32; 3]> {
    let header = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse().ok();
    Some([header("ratelimit-limit")?, header("ratelimit-remaining")?, header("ratelimit-reset")?])
}

#[tokio::test]
async fn answers_say_what_is_left_and_refusals_when_to_come_back() {
    let (world, clock) = limited([3, 5], &[]).await;
    let get = || from(&world, "192.0.2.1", "/api/openapi.json", &[]);
    for left in [2, 1, 0] {
        let answer = get().await;
        assert_eq!((answer.status.as_u16(), told(&answer)), (200, Some([3, left, 20 * (3 - left)])));
    }
    let refused = get().await;
    assert_eq!((refused.status.as_u16(), told(&refused)), (429, Some([3, 0, 60])));
    assert_eq!(refused.headers["retry-after"], "20");
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.body["code"], "RATE_LIMITED");
    assert_eq!(refused.body["detail"], "too many requests: the limit is 3 per minute, and the next one is taken in 20 s");
    assert_eq!(refused.body["type"], "/docs/errors/RATE_LIMITED");

    clock.advance_to(NOON + 19_999);
    assert_eq!(get().await.status, 429);
    clock.advance_to(NOON + 20_000);
    assert_eq!(get().await.status, 200);
    assert_eq!(get().await.status, 429);
    // The minute comes back, the hour does not yet: it has one left, and then it is the one that is told.
    clock.advance_to(NOON + 100_000);
    assert_eq!(told(&get().await).map(|[limit, remaining, _]| [limit, remaining]), Some([5, 0]));
    let refused = get().await;
    assert_eq!(
        (refused.status.as_u16(), told(&refused).map(|told| told[0]), &refused.headers["retry-after"]),
        (429, Some(5), &"620".parse().unwrap())
    );
    clock.advance_to(NOON + 3_700_000);
    assert_eq!(told(&get().await), Some([3, 2, 20]));
}

#[tokio::test]
async fn without_a_limit_nothing_is_said() {
    let (world, _) = limited([0, 0], &[]).await;
    let answer = from(&world, "192.0.2.1", "/api/openapi.json", &[]).await;
    assert_eq!((answer.status.as_u16(), told(&answer)), (200, None));
}

#[tokio::test]
async fn the_document_tells_of_the_refusal_where_it_can_happen() {
    let (world, _) = limited([0, 0], &[]).await;
    let document = world.get("/api/openapi.json").await.body;
    let of = |path: &str| document["paths"][path]["get"]["responses"]["429"].clone();
    let headers: Vec<String> = of("/api/plans")["headers"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(headers, ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"]);
    assert!(of("/api/health").is_null() && of("/health/readiness").is_null());
}

#[tokio::test]
async fn whoever_watches_the_server_is_not_limited() {
    let (world, _) = limited([1, 0], &[]).await;
    for path in ["/health/liveness", "/health/readiness", "/health/migrations", "/metrics", "/api/health"] {
        for _ in 0..3 {
            let answer = from(&world, "192.0.2.1", path, &[]).await;
            assert_eq!((answer.status.as_u16() == 429, told(&answer)), (false, None), "{path}");
        }
    }
    assert_eq!(told(&from(&world, "192.0.2.1", "/api/nothing", &[]).await), Some([1, 0, 60]), "but what does not exist is");
}

#[tokio::test]
async fn each_caller_has_a_budget_wherever_it_calls_from() {
    let (world, clock) = limited([2, 0], &[]).await;
    let bearer = async || format!("Bearer {}", world.key().await.1);
    let (one, two, late) = (bearer().await, bearer().await, bearer().await);
    let get = async |peer: &str, key: &str| {
        let answer = from(&world, peer, "/api/plans", &[("authorization", key)]).await;
        (answer.status.as_u16(), told(&answer).unwrap()[1])
    };
    assert_eq!(get("192.0.2.1", &one).await, (200, 1));
    assert_eq!(get("198.51.100.1", &one).await, (200, 0));
    assert_eq!(get("203.0.113.1", &one).await.0, 429, "a new address is no new budget");
    assert_eq!(get("192.0.2.1", &two).await, (200, 1), "nor is one caller's use another's");

    // A browser's WebSocket has its key in another header.
    let protocols = format!("mainspring.v1, bearer.{}", two.strip_prefix("Bearer ").unwrap());
    let socket = from(&world, "192.0.2.9", "/api/ws", &[("sec-websocket-protocol", &protocols)]).await;
    assert_eq!((socket.status.as_u16(), told(&socket).unwrap()[1]), (426, 0));
    clock.advance_to(NOON + 30_000);

    // Guessed keys are their address's, which then has no more of them looked up; keys that were right before go on.
    let wrong = || format!("Bearer {}", Token::generate(Token::API_KEY, &OsEntropy).unwrap().expose());
    assert_eq!(get("192.0.2.1", &wrong()).await, (401, 1));
    assert_eq!(get("192.0.2.1", &wrong()).await, (401, 0));
    assert_eq!(get("192.0.2.1", &wrong()).await.0, 429);
    assert_eq!(get("192.0.2.1", &late).await.0, 429);
    assert_eq!(get("192.0.2.1", "Basic eDp5").await.0, 429);
    assert_eq!(get("192.0.2.2", &late).await, (200, 1));
    clock.advance_to(NOON + 40_000);
    assert_eq!(get("192.0.2.1", &two).await, (200, 0), "also when it is looked up anew");
}

#[tokio::test]
async fn what_a_caller_writes_about_its_address_changes_nothing() {
    let (world, _) = limited([50, 0], &["10.0.0.0/8"]).await;
    // An installation that somebody owns: it asks who calls.
    world.key().await;
    let mut let_in = 0;
    for n in 0..1_000 {
        let forged = format!("198.51.{}.{}", n / 250, n % 250);
        let element = format!("for={forged}");
        let headers = [("x-forwarded-for", forged.as_str()), ("x-real-ip", &forged), ("forwarded", &element)];
        let_in += u32::from(from(&world, "192.0.2.1", "/api/plans", &headers).await.status != 429);
    }
    assert_eq!(let_in, 50, "straight to the server");

    // Behind a proxy that appends what it saw, the caller's own text stands left of it.
    let mut let_in = 0;
    for n in 0..1_000 {
        let written = format!("198.51.{}.{}, 10.0.0.9, 203.0.113.7", n / 250, n % 250);
        let_in += u32::from(from(&world, "10.0.0.1", "/api/plans", &[("x-forwarded-for", &written)]).await.status != 429);
    }
    assert_eq!(let_in, 50, "through a proxy");
    assert_eq!(from(&world, "10.0.0.1", "/api/plans", &[("x-forwarded-for", "203.0.113.8")]).await.status, 401, "its neighbour");

    let mut let_in = 0;
    for n in 0..1_000 {
        let_in += u32::from(from(&world, &format!("2001:db8:1:2:{n:x}::1"), "/api/plans", &[]).await.status != 429);
    }
    assert_eq!(let_in, 50, "addresses of one IPv6 network");
    assert_eq!(from(&world, "2001:db8:1:3::1", "/api/plans", &[]).await.status, 401);
}

#[tokio::test]
async fn a_webhook_has_a_budget_for_each_sender_and_made_up_paths_have_none() {
    let (world, _) = limited([2, 0], &[]).await;
    let key = format!("Bearer {}", world.key().await.1);
    for path in ["orders", "invoices"] {
        let mut plan = doubling(path);
        plan["inputs"] = json!({});
        plan["steps"] = json!([{"id": "say", "action": "logic.set"}]);
        plan["triggers"] = json!([{"type": "webhook", "path": path, "methods": ["GET"]}]);
        let mut request = super::world::json_request(Method::POST, "/api/plans", &plan);
        request.headers_mut().insert("authorization", key.parse().unwrap());
        let answer = world.send(request).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let call = async |peer: &str, path: &str| from(&world, peer, &format!("/api/webhook/{path}"), &[]).await.status.as_u16();
    assert_eq!(
        [call("192.0.2.1", "orders").await, call("192.0.2.1", "orders/").await, call("192.0.2.1", "%6frders").await],
        [202, 202, 429]
    );
    assert_eq!(call("192.0.2.1", "invoices").await, 202, "another webhook");
    assert_eq!(call("192.0.2.2", "orders").await, 202, "another sender");
    let mut made_up = Vec::new();
    for n in 0..4 {
        made_up.push(call("192.0.2.1", &format!("made-up-{n}")).await);
    }
    assert_eq!(made_up, [404, 404, 429, 429]);
}
