//! Feature flags over HTTP: everybody sees what holds for them, operators alone change it, and other nodes follow.

use axum::body::Body;
use http::Method;
use mainspring_model::flag::Flag;
use mainspring_model::id::Owner;
use mainspring_model::store::FlagRecord;
use mainspring_server::flags;
use mainspring_server::settings::Settings;
use serde_json::json;

use super::until;
use crate::http::world::{World, ask, json_request};

#[tokio::test]
async fn an_operator_says_and_everybody_sees() {
    let world = World::dev().await;
    let listed = world.get("/api/feature-flags").await.body;
    assert_eq!(listed["feature_flags"][0]["name"], flags::USER_REGISTRATION);
    assert_eq!((&listed["feature_flags"][0]["on"], &listed["feature_flags"][0]["decided_by"]), (&json!(true), &json!("default")));
    let user = Owner::LOCAL.user.to_string();
    let said = json!({ "description": "the new editor", "enabled": true, "rollout_percentage": 0 });
    let answer = world.put("/api/feature-flags/new_editor", said).await;
    assert_eq!((answer.status.as_u16(), &answer.body["on"], &answer.body["decided_by"]), (200, &json!(false), &json!("rollout")));
    let answer = world.put("/api/feature-flags/new_editor", json!({ "rollout_percentage": 0, "users": { user: true } })).await;
    assert_eq!((&answer.body["on"], &answer.body["decided_by"]), (&json!(true), &json!("user")));
    assert!(world.app.flags.is_on("new_editor", Some(&Owner::LOCAL)) && !world.app.flags.is_on("new_editor", None));
    let other = "0190b8a0-0000-7000-8000-000000000009";
    let explained = world.get(&format!("/api/feature-flags/new_editor?for_user={other}")).await.body;
    assert_eq!((&explained["on"], &explained["decided_by"]), (&json!(false), &json!("rollout")));
    assert_eq!(world.get("/api/feature-flags/nobody_knows").await.body["on"], false);
    for (name, body) in [
        ("new_editor", json!({ "rollout_percentage": 101 })),
        ("new_editor", json!({ "enabeld": true })),
        ("new_editor", json!({ "users": { "x": true } })),
    ] {
        assert_eq!(world.put(&format!("/api/feature-flags/{name}"), body).await.status, 422);
    }
    assert_eq!(world.put("/api/feature-flags/New-Editor", json!({})).await.status, 404);
    assert_eq!(world.delete("/api/feature-flags/new_editor").await.status, 204);
    assert_eq!(world.delete("/api/feature-flags/new_editor").await.status, 404);
    assert!(!world.app.flags.is_on("new_editor", Some(&Owner::LOCAL)));
}

#[tokio::test]
async fn who_is_no_operator_sees_and_changes_nothing() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let record =
        FlagRecord { name: "beta".to_owned(), flag: Flag { enabled: true, ..Flag::default() }, updated_at: 1, updated_by: owner.user };
    world.app.store.put_flag(&record).await.unwrap();
    world.app.flags.reload(&*world.app.store).await.unwrap();
    let authorized = |mut request: http::Request<Body>| {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        request
    };
    let seen = world.send(authorized(ask(Method::GET, "/api/feature-flags").body(Body::empty()).unwrap())).await;
    assert_eq!(seen.body["feature_flags"][0], json!({ "name": "beta", "description": "", "on": true, "decided_by": "global" }));
    for (path, status) in [
        ("/api/feature-flags/beta?for_user=0190b8a0-0000-7000-8000-000000000009", 403),
        (&format!("/api/feature-flags/beta?for_user={}", owner.user), 200),
    ] {
        assert_eq!(world.send(authorized(ask(Method::GET, path).body(Body::empty()).unwrap())).await.status.as_u16(), status, "{path}");
    }
    let put = authorized(json_request(Method::PUT, "/api/feature-flags/beta", &json!({ "killed": true })));
    assert_eq!(world.send(put).await.status, 403);
    let delete = authorized(ask(Method::DELETE, "/api/feature-flags/beta").body(Body::empty()).unwrap());
    assert_eq!(world.send(delete).await.status, 403);
    assert!(world.app.flags.is_on("beta", None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_processs_change_is_followed() {
    let clock = mainspring_model::clock::FakeClock::at(1_750_000_000_000);
    let world = World::at(Settings { dev: true, ..World::settings() }, clock.clone()).await;
    let following = tokio::spawn(flags::follow(world.app.clone()));
    let flag = Flag { killed: true, ..Flag::default() };
    let record = FlagRecord { name: flags::USER_REGISTRATION.to_owned(), flag, updated_at: 1, updated_by: Owner::LOCAL.user };
    world.app.store.put_flag(&record).await.unwrap();
    assert!(world.app.flags.is_on(flags::USER_REGISTRATION, None), "it is not known yet");
    until("a pause", || async { clock.next_sleeper().is_some() }).await;
    clock.advance_to(1_750_000_002_000);
    until("the change", || async { !world.app.flags.is_on(flags::USER_REGISTRATION, None) }).await;
    following.abort();
}
