//! Notifications: one message for one event and rule, signed webhooks through the guard, and nothing lost by a kill.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_server::mail::Tls;
use mainspring_server::settings::{EgressMode, Settings};
use mainspring_server::{notify, outbox};
use serde_json::{Value, json};
use sha2::Sha256;

use super::smtp::Smtp;
use super::{mail, until};
use crate::http::world::World;
use crate::servers::{Server, reply};

const START: i64 = 1_750_000_000_000;

async fn failing(world: &World, name: &str) -> Value {
    let step = json!({ "id": "a", "action": "logic.fail", "params": { "code": "USER_NO", "message": "no such thing" } });
    json!(world.plan(json!({ "name": name, "steps": [step] })).await)
}

async fn fail(world: &World, plan: &Value) {
    assert_eq!(world.post("/api/execute", json!({ "plan_id": plan })).await.body["success"], false);
}

async fn rule(world: &World, body: Value) -> Value {
    let answer = world.post("/api/notification-rules", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body
}

/// Moves the clock over the next look, as often as asked until it is so.
async fn looks<F: Future<Output = bool>>(what: &str, clock: &FakeClock, done: impl Fn() -> F) {
    // In steps that leave the sockets time: the clock must not run away from them.
    let steps = tokio::sync::Mutex::new(tokio::time::interval(Duration::from_millis(10)));
    until(what, || async {
        steps.lock().await.tick().await;
        if let Some(next) = clock.next_sleeper().filter(|next| *next <= clock.now() + 2_000) {
            clock.advance_to(next);
        }
        done().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_told_once_by_every_channel() {
    let smtp = Smtp::start(&[]).await;
    let receiver = Server::start(|_| reply(500, &[], "not now")).await;
    let clock = FakeClock::at(START);
    let settings = Settings { dev: true, mail: mail::terms(&smtp, Tls::Plain), ..World::settings() };
    let world = World::at(settings, clock.clone()).await;
    rule(&world, json!({ "name": "mail", "events": ["run.failed"], "channel": "mail", "to": "ada@example.com" })).await;
    let hook = json!({ "name": "hook", "events": ["run.failed"], "channel": "webhook", "to": receiver.url("/hook") });
    let secret = rule(&world, hook).await["secret"].as_str().unwrap().to_owned();
    rule(&world, json!({ "name": "app", "events": ["run.failed"], "channel": "app" })).await;
    rule(&world, json!({ "name": "other", "events": ["schedule.late"], "channel": "app" })).await;
    // The first look only begins to watch.
    let watching = tokio::spawn(notify::serve(world.app.clone()));
    until("the beginning", || async { world.app.store.watched_until().await.unwrap() > 0 }).await;
    let plan = failing(&world, "Nightly").await;
    for _ in 0..4 {
        fail(&world, &plan).await;
    }
    let ended = clock.now();
    looks("the telling", &clock, || async { world.app.store.next_message().await.unwrap().is_some() }).await;
    // The watcher is killed and another looks at the same again.
    watching.abort();
    let watchers = [tokio::spawn(notify::serve(world.app.clone())), tokio::spawn(notify::serve(world.app.clone()))];
    let delivering = tokio::spawn(outbox::serve(world.app.clone()));
    // All four, before the distance is over.
    looks("the telling of all", &clock, || async { world.app.store.watched_until().await.unwrap() > ended }).await;
    looks("the first of each", &clock, || async { smtp.letters().len() == 1 && !receiver.asked().is_empty() }).await;
    let told = smtp.letters()[0].text.clone();
    assert!(told.contains("Nightly") && told.contains("USER_NO: no such thing"), "{told}");
    // After the distance the second one tells of the others.
    clock.advance_to(START + 16 * 60_000);
    looks("the second mail", &clock, || async { smtp.letters().len() == 2 }).await;
    assert!(smtp.letters()[1].text.contains("2 more like this"), "{}", smtp.letters()[1].text);
    let mine = || async { world.get("/api/notifications").await.body };
    looks("the second notification", &clock, || async { mine().await["unread"] == 2 }).await;
    assert_eq!(mine().await["notifications"][0]["data"]["plan_name"], "Nightly");
    // The receiver refused each time: the same message came again under the same id, signed each time.
    let asked = receiver.asked();
    let id = |n: usize| asked[n].headers["webhook-id"].to_str().unwrap().to_owned();
    assert!(asked.len() >= 2 && asked.iter().any(|other| other.headers["webhook-id"] == id(0).as_str()));
    let stamp = asked[0].headers["webhook-timestamp"].to_str().unwrap();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{stamp}.", id(0)).as_bytes());
    mac.update(&asked[0].body);
    assert_eq!(asked[0].headers["webhook-signature"], format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["error"]["code"]), (&json!("run.failed"), &json!("USER_NO")));
    delivering.abort();
    watchers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_goes_through_the_guard() {
    let receiver = Server::start(|_| reply(200, &[], "")).await;
    let clock = FakeClock::at(START);
    let world = World::at(Settings { dev: true, egress: EgressMode::Strict, ..World::settings() }, clock.clone()).await;
    rule(&world, json!({ "name": "hook", "events": ["run.failed"], "channel": "webhook", "to": receiver.url("/hook") })).await;
    world.app.store.watch_until(START - 1).await.unwrap();
    let plan = failing(&world, "Inside").await;
    fail(&world, &plan).await;
    let work = [tokio::spawn(notify::serve(world.app.clone())), tokio::spawn(outbox::serve(world.app.clone()))];
    looks("the refusal", &clock, || async { world.app.store.next_message().await.unwrap().is_some_and(|at| at > clock.now()) }).await;
    assert_eq!(receiver.lines(), [""; 0], "nobody was asked");
    work.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn rules_are_checked_and_ones_own() {
    let world = World::dev().await;
    for wrong in [
        json!({ "name": "", "events": ["run.failed"], "channel": "app" }),
        json!({ "name": "a", "events": [], "channel": "app" }),
        json!({ "name": "a", "events": ["run.failed"], "channel": "mail", "to": "nobody" }),
        json!({ "name": "a", "events": ["run.failed"], "channel": "webhook", "to": "ftp://x" }),
        json!({ "name": "a", "events": ["run.failed"], "channel": "app", "throttle_minutes": 9999 }),
        json!({ "name": "a", "events": ["run.exploded"], "channel": "app" }),
    ] {
        let answer = world.post("/api/notification-rules", wrong.clone()).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text);
    }
    let made =
        rule(&world, json!({ "name": "hook", "events": ["run.failed"], "channel": "webhook", "to": "https://hooks.example/x" })).await;
    let id = made["notification_rule"]["id"].as_str().unwrap();
    let rotated = world.post(&format!("/api/notification-rules/{id}/rotate-secret"), json!({})).await.body;
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_") && rotated["secret"] != made["secret"]);
    let listed = world.get("/api/notification-rules").await;
    assert!(!listed.text.contains("whsec_") && listed.body["notification_rules"][0]["name"] == "hook", "{}", listed.text);
    let renamed = json!({ "name": "renamed", "events": ["run.failed"], "channel": "webhook", "to": "https://hooks.example/x" });
    let renamed = world.put(&format!("/api/notification-rules/{id}"), renamed).await;
    assert_eq!((renamed.status.as_u16(), &renamed.body["secret"]), (200, &Value::Null), "{}", renamed.text);
    assert_eq!(world.delete(&format!("/api/notification-rules/{id}")).await.status, 204);
    assert_eq!(world.delete(&format!("/api/notification-rules/{id}")).await.status, 404);
}
