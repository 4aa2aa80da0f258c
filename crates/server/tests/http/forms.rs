//! Forms: the page of a plan's inputs, what is taken of it, and what strangers may not do with it.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::world::{Answer, World, ask};

fn contact(trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["type"] = json!("form");
    trigger["path"] = json!("contact/us");
    json!({
        "name": "Contact <us>",
        "inputs": {
            "name": {"type": "string", "required": true, "maxLength": 80}, "topic": {"enum": ["sales", "help"], "default": "help"},
            "people": {"type": "integer", "minimum": 1}, "news": {"type": "boolean"}, "text": {"type": "string", "maxLength": 2000},
        },
        "triggers": [trigger],
        "steps": [{"id": "seen", "action": "logic.set", "params": {"inputs": "${inputs}", "type": "${trigger.type}", "path": "${trigger.path}"}}],
    })
}

async fn send(world: &World, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = ask(Method::POST, "/api/forms/contact/us").header("content-type", "application/x-www-form-urlencoded");
    world.send(request.body(Body::from(body)).unwrap()).await
}

fn token_of(page: &str) -> String {
    let (_, rest) = page.split_once("name=\".token\" value=\"").unwrap_or_else(|| panic!("no token in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn runs(world: &World) -> Vec<Value> {
    world.get("/api/runs").await.body["runs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_form_starts_one_run_for_each_page() {
    let world = World::dev().await;
    world.plan(contact(json!({"title": "Write to us", "submit": "Off it goes", "message": "We answer\nsoon."}))).await;
    let page = world.get("/api/forms/contact/us").await;
    assert_eq!((page.status.as_u16(), page.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text.contains("<h1>Write to us</h1>") && page.text.contains(">Off it goes</button>"), "{}", page.text);
    assert!(page.text.contains("<option value=\"help\" selected>"), "{}", page.text);
    let token = token_of(&page.text);
    let filled = [(".token", token.as_str()), ("name", "Ada & Co"), ("topic", "sales"), ("people", "3"), ("news", "true"), ("text", "")];
    for _ in 0..2 {
        let sent = send(&world, &filled).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        assert!(sent.text.contains("We answer\nsoon."), "{}", sent.text);
    }
    let runs = runs(&world).await;
    assert_eq!(runs.len(), 1, "the same page twice is one run");
    let id = runs[0]["id"].as_str().unwrap();
    world.get(&format!("/api/runs/{id}/events")).await;
    let run = world.get(&format!("/api/runs/{id}")).await.body["run"].clone();
    let expected =
        json!({"inputs": {"name": "Ada & Co", "topic": "sales", "people": 3, "news": true}, "type": "form", "path": "contact/us"});
    assert_eq!(run["output"], expected);
}

#[tokio::test]
async fn what_does_not_fit_comes_back_with_what_was_typed() {
    let world = World::dev().await;
    world.plan(contact(json!({}))).await;
    let token = token_of(&world.get("/api/forms/contact/us").await.text);
    let wrong =
        send(&world, &[(".token", &token), ("name", ""), ("people", "\"><b>many"), ("topic", "sales"), ("text", "keep <me>")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("href=\"#f-name\"") && wrong.text.contains("href=\"#f-people\""));
    assert!(wrong.text.contains("keep &lt;me&gt;") && wrong.text.contains("<option value=\"sales\" selected>"), "{}", wrong.text);
    assert!(!wrong.text.contains("<b>") && wrong.text.contains("Contact &lt;us&gt;"), "{}", wrong.text);
    // Its token goes on: what was refused was not sent.
    assert_eq!(token_of(&wrong.text), token);
    assert!(runs(&world).await.is_empty());
}

#[tokio::test]
async fn what_no_page_of_ours_sent_starts_nothing() {
    let world = World::dev().await;
    world.plan(contact(json!({}))).await;
    let page = world.get("/api/forms/contact/us").await.text;
    let token = token_of(&page);
    let name = ("name", "Ada");
    let (most, last) = token.split_at(token.len() - 1);
    let changed = format!("{most}{}", if last == "a" { "b" } else { "a" });
    for bad in ["", "x", "0.0.0", &changed] {
        let refused = send(&world, &[(".token", bad), name]).await;
        assert_eq!(refused.status, 422, "{bad}: {}", refused.text);
        assert!(refused.text.contains("value=\"Ada\"") && token_of(&refused.text) != bad, "{}", refused.text);
    }
    // A program that fills in everything is thanked, and nothing happens.
    assert_eq!(send(&world, &[(".token", &token), name, (".website", "http://spam.example")]).await.status, 200);
    let json = world.post("/api/forms/contact/us", json!({"name": "Ada"})).await;
    assert_eq!((json.status.as_u16(), &json.body["code"]), (415, &json!("UNSUPPORTED_MEDIA_TYPE")));
    let foreign = ask(Method::POST, "/api/forms/contact/us").header("origin", "https://evil.example");
    let foreign =
        foreign.header("content-type", "application/x-www-form-urlencoded").body(Body::from(format!(".token={token}&name=Ada"))).unwrap();
    assert_eq!(world.send(foreign).await.status, 403);
    assert_eq!(world.get("/api/forms/elsewhere").await.status, 404);
    assert_eq!(world.get("/api/webhook/form:contact/us").await.status, 404, "a form is no webhook");
    assert!(runs(&world).await.is_empty());
}

#[tokio::test]
async fn a_form_with_a_password_asks_for_it() {
    let world = World::dev().await;
    world.plan(contact(json!({"auth": "basic", "credential": "door"}))).await;
    let credential = json!({"credentials": {"username": "ada", "password": "pass"}, "name": "door"});
    assert_eq!(world.post("/api/provider-credentials/webhook", credential).await.status, 201);
    let refused = world.get("/api/forms/contact/us").await;
    assert_eq!(refused.status, 401);
    assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(send(&world, &[("name", "Ada")]).await.status, 401);
    let known = ask(Method::GET, "/api/forms/contact/us").header("authorization", "Basic YWRhOnBhc3M=").body(Body::empty()).unwrap();
    assert_eq!(world.send(known).await.status, 200);
}
