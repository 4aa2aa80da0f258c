//! Signed deliveries: which ones start a run, which are refused in which words, and what a repeated one gets.

use axum::body::Body;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{Answer, World, ask, plain};

fn plan(name: &str, trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["type"] = json!("webhook");
    trigger["path"].is_null().then(|| trigger["path"] = json!("in"));
    json!({"name": name, "triggers": [trigger], "steps": [{"id": "seen", "action": "logic.set", "params": {"trigger": "${trigger}"}}]})
}

async fn secret(world: &World, name: &str, secret: &str) {
    let body = json!({"credentials": {"signing_secret": secret}, "name": name});
    let stored = world.post("/api/provider-credentials/webhook", body).await;
    assert_eq!(stored.status, 201, "{}", stored.text);
}

fn code(secret: &str, message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn github(secret: &str, id: &str, body: &Value) -> Request<Body> {
    let body = body.to_string();
    let request = ask(Method::POST, "/api/webhook/in").header("content-type", "application/json").header("x-github-delivery", id);
    let signature = format!("sha256={}", code(secret, body.as_bytes()));
    request.header("x-hub-signature-256", signature).body(Body::from(body)).unwrap()
}

async fn runs(world: &World) -> usize {
    world.get("/api/runs").await.body["runs"].as_array().unwrap().len()
}

fn first_run(answer: &Answer) -> &str {
    answer.body["runs"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text))
}

#[tokio::test]
async fn a_forged_delivery_starts_nothing() {
    let world = World::dev().await;
    world.plan(plan("Signed", json!({"signature": "github", "credential": "hub"}))).await;
    let body = json!({"action": "opened"});
    // Nobody can sign while there is no secret.
    let unset = world.send(github("", "1", &body)).await;
    assert_eq!((unset.status.as_u16(), &unset.body["code"]), (401, &json!("SIGNATURE_REJECTED")));
    secret(&world, "hub", "s3cret-of-the-hook").await;

    let wrong = world.send(github("s3cret-of-the-hool", "1", &body)).await;
    assert_eq!(wrong.status, 401);
    assert_json_snapshot!("wrong", plain(&wrong.body));
    let unsigned = world.post("/api/webhook/in", body.clone()).await;
    assert_eq!(
        (unsigned.status.as_u16(), unsigned.body["detail"].as_str().unwrap()),
        (401, "this delivery is not taken: the header x-hub-signature-256 is missing")
    );
    let mut changed = github("s3cret-of-the-hook", "1", &body);
    *changed.body_mut() = Body::from(r#"{"action":"closed"}"#);
    assert_eq!(world.send(changed).await.status, 401);
    assert_eq!(runs(&world).await, 0);

    let taken = world.send(github("s3cret-of-the-hook", "1", &body)).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    assert_eq!(runs(&world).await, 1);
}

#[tokio::test]
async fn a_message_that_comes_again_gets_the_run_that_it_has() {
    let world = World::dev().await;
    secret(&world, "hub", "s3cret").await;
    world.plan(plan("Signed", json!({"signature": "github", "credential": "hub"}))).await;
    let body = json!({"action": "opened"});
    let first = world.send(github("s3cret", "one", &body)).await;
    let again = world.send(github("s3cret", "one", &body)).await;
    assert_eq!((again.status.as_u16(), first_run(&again)), (202, first_run(&first)));
    let other = world.send(github("s3cret", "two", &body)).await;
    assert_ne!(first_run(&other), first_run(&first));
    assert_eq!(runs(&world).await, 2);

    // Many at once, as after a time-out of the sender's.
    let many = (0..20).map(|_| world.send(github("s3cret", "three", &body)));
    let many = futures_util::future::join_all(many).await;
    assert!(many.iter().all(|answer| first_run(answer) == first_run(&many[0])));
    assert_eq!(runs(&world).await, 3);
}

#[tokio::test]
async fn what_a_template_gives_is_known_again_and_answered_alike() {
    let world = World::dev().await;
    let trigger = json!({"dedupe": "${trigger.body.order}", "respond": "last_step"});
    let mut document = plan("Orders", trigger);
    document["steps"][0]["params"] = json!({"at": "${trigger.body.at}"});
    world.plan(document).await;
    let tell = async |order: Value, at: u32| world.post("/api/webhook/in", json!({"order": order, "at": at})).await.body;
    assert_eq!(tell(json!(7), 1).await, json!({"at": 1}));
    assert_eq!(tell(json!(7), 2).await, json!({"at": 1}), "the answer of the first");
    assert_eq!(tell(json!("a".repeat(5_000)), 3).await, json!({"at": 3}));
    assert_eq!(tell(json!("a".repeat(5_000)), 4).await, json!({"at": 3}));
    // Nothing to know it by.
    assert_eq!((tell(Value::Null, 5).await, tell(Value::Null, 6).await), (json!({"at": 5}), json!({"at": 6})));
    let blind = world.post("/api/webhook/in", json!({"at": 7})).await;
    assert_eq!((blind.status.as_u16(), &blind.body["code"]), (422, &json!("UNRESOLVED_REFERENCE")));
    assert_eq!(runs(&world).await, 4);
}

/// Two plans on one path, each with its own secret and its own memory.
#[tokio::test]
async fn each_plan_has_its_own_secret() {
    let world = World::dev().await;
    secret(&world, "one", "first-secret").await;
    secret(&world, "two", "second-secret\nfirst-secret").await;
    world.plan(plan("One", json!({"signature": "github", "credential": "one"}))).await;
    world.plan(plan("Two", json!({"signature": "github", "credential": "two"}))).await;
    let count = |answer: &Answer| answer.body["runs"].as_array().unwrap().len();
    let body = json!({});
    assert_eq!(count(&world.send(github("first-secret", "a", &body)).await), 2);
    assert_eq!(count(&world.send(github("second-secret", "b", &body)).await), 1);
    assert_eq!(world.send(github("third-secret", "c", &body)).await.status, 401);
    // The old secret goes, and what it signs is no longer taken.
    secret(&world, "two", "second-secret").await;
    assert_eq!(count(&world.send(github("first-secret", "d", &body)).await), 1);
    assert_eq!(runs(&world).await, 4);
}

#[tokio::test]
async fn slack_s_question_is_answered_when_it_is_signed() {
    let world = World::dev().await;
    secret(&world, "slack", "8f742231b10e8888abcd99yyyzzz85a5").await;
    world.plan(plan("Slack", json!({"signature": "slack", "credential": "slack"}))).await;
    let slack = |at: i64, body: &Value| {
        let (at, body) = (at / 1_000, body.to_string());
        let signature = format!("v0={}", code("8f742231b10e8888abcd99yyyzzz85a5", format!("v0:{at}:{body}").as_bytes()));
        let request = ask(Method::POST, "/api/webhook/in").header("content-type", "application/json");
        request.header("x-slack-request-timestamp", at).header("x-slack-signature", signature).body(Body::from(body)).unwrap()
    };
    let now = world.app.clock.now();
    let question = json!({"type": "url_verification", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ", "token": "x"});
    let answer = world.send(slack(now, &question)).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"challenge": "3eZbrw1aB10FEMAGAZd4FyFQ"})));
    assert_eq!(world.post("/api/webhook/in", question.clone()).await.status, 401);
    let stale = world.send(slack(now - 6 * 60_000, &question)).await;
    assert_eq!(stale.status, 401);
    assert!(stale.body["detail"].as_str().unwrap().ends_with("more than 5 minutes from this server's clock"), "{}", stale.text);
    assert_eq!(runs(&world).await, 0);
    let event = json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}});
    let (first, again) = (world.send(slack(now, &event)).await, world.send(slack(now + 1_000, &event)).await);
    assert_eq!((first_run(&first), runs(&world).await), (first_run(&again), 1));
}

/// The key pair of RFC 8032's kind whose seed is the bytes 0 to 31; its signature is made here, for the moment counts.
#[tokio::test]
async fn discord_s_question_is_answered_when_it_is_signed() {
    let world = World::dev().await;
    let seed: Vec<u8> = (0..32).collect();
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    secret(&world, "discord", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8").await;
    world.plan(plan("Discord", json!({"signature": "discord", "credential": "discord", "respond": "step"}))).await;
    let sign = |body: &Value, spoil: bool| {
        let (at, body) = (world.app.clock.now() / 1_000, body.to_string());
        let mut signature = pair.sign(format!("{at}{body}").as_bytes()).as_ref().to_vec();
        signature[3] ^= u8::from(spoil);
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = ask(Method::POST, "/api/webhook/in").header("content-type", "application/json");
        request.header("x-signature-timestamp", at).header("x-signature-ed25519", hex).body(Body::from(body)).unwrap()
    };
    let ping = json!({"type": 1, "id": "77"});
    let answer = world.send(sign(&ping, false)).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"type": 1})));
    assert_eq!(world.send(sign(&ping, true)).await.status, 401);
    assert_eq!(world.send(sign(&json!({"type": 0, "version": 1}), false)).await.status, 204);
    assert_eq!(runs(&world).await, 0);
}

#[tokio::test]
async fn gitlab_s_token_is_not_kept() {
    let world = World::dev().await;
    secret(&world, "gitlab", "t0ken-of-gitlab").await;
    world.plan(plan("GitLab", json!({"signature": "gitlab", "credential": "gitlab", "respond": "last_step"}))).await;
    let call = |token: &str| {
        let request = ask(Method::POST, "/api/webhook/in").header("x-gitlab-token", token).header("idempotency-key", "f5e5-1");
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(world.send(call("t0ken-of-gitlaC")).await.status, 401);
    let taken = world.send(call("t0ken-of-gitlab")).await;
    assert_eq!(
        (taken.status.as_u16(), &taken.body["trigger"]["headers"]),
        (200, &json!({"host": "localhost:5000", "idempotency-key": "f5e5-1"}))
    );
    world.send(call("t0ken-of-gitlab")).await;
    assert_eq!(runs(&world).await, 1);
}
