//! People for tests: a world with an owner and a clock, and what they send.

use axum::body::Body;
use http::{Method, Request};
use mainspring_model::clock::FakeClock;
use mainspring_server::identity::Terms;
use mainspring_server::identity::accounts::NewAccount;
use mainspring_server::settings::Settings;
use mainspring_vault::Secret;
use serde_json::{Value, json};

use super::world::{Answer, World, ask, json_request};

pub const PASSWORD: &str = "a quiet harbour 4711";
pub const START: i64 = 1_800_000_000_000;
pub const MINUTE: i64 = 60_000;

pub fn open_to_all() -> Settings {
    Settings { identity: Terms { registration: true, ..Terms::default() }, ..World::settings() }
}

/// A world with an owner in it and a clock that the test moves.
pub async fn world() -> (World, FakeClock) {
    let clock = FakeClock::at(START);
    let world = World::at(open_to_all(), clock.clone()).await;
    let hash = world.app.identity.hasher.hash(&Secret::new(PASSWORD)).await.unwrap();
    let new = NewAccount {
        email: "owner@example.org".to_owned(),
        name: "Owner".to_owned(),
        password_hash: Some(hash),
        operator: true,
        verified: true,
    };
    world.app.make_first_owner(new).await.unwrap();
    (world, clock)
}

pub async fn register(world: &World, email: &str) {
    let answer = world.post("/api/auth/register", json!({"email": email, "password": PASSWORD, "full_name": "Ada"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["email"], &answer.body["is_active"]),
        (201, &json!(email), &json!(true)),
        "{}",
        answer.text
    );
}

pub async fn log_in(world: &World, email: &str, password: &str) -> Answer {
    world.post("/api/auth/login", json!({"email": email, "password": password})).await
}

pub async fn tokens(world: &World, email: &str) -> (String, String) {
    let answer = log_in(world, email, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

pub fn with(method: Method, path: &str, token: &str, body: Option<Value>) -> Request<Body> {
    let mut request = match body {
        Some(body) => json_request(method, path, &body),
        None => ask(method, path).body(Body::empty()).unwrap(),
    };
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub async fn me(world: &World, token: &str) -> Answer {
    world.send(with(Method::GET, "/api/auth/me", token, None)).await
}

pub async fn post(world: &World, path: &str, token: &str, body: Value) -> Answer {
    world.send(with(Method::POST, path, token, Some(body))).await
}
