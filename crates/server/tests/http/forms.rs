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

/// A form as a browser sends it.
async fn send_parts(world: &World, parts: &[(&str, Option<&str>, &str)]) -> Answer {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: text/plain")).unwrap_or_default();
        body.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"));
    }
    body.push_str("--b--\r\n");
    let request = ask(Method::POST, "/api/forms/papers").header("content-type", "multipart/form-data; boundary=b");
    world.send(request.body(Body::from(body)).unwrap()).await
}

async fn files(world: &World) -> usize {
    world.get("/api/files").await.body["files"].as_array().unwrap().len()
}

#[tokio::test]
async fn files_of_a_form_are_kept_for_its_run_alone() {
    let world = World::dev().await;
    world.plan(json!({
        "name": "Papers",
        "inputs": {"who": {"type": "string", "required": true}, "photo": {"type": "object", "format": "file", "required": true},
            "more": {"type": "array", "items": {"type": "object", "format": "file"}}},
        "triggers": [{"type": "form", "path": "papers"}],
        "steps": [{"id": "photo", "action": "file.read", "params": {"file": "${inputs.photo}"}},
            {"id": "seen", "action": "logic.set", "params": {"text": "${steps.photo.output}", "names": "${inputs.more.map(f => f.name)}"}}],
    })).await;
    let page = world.get("/api/forms/papers").await;
    assert!(page.text.contains("enctype=\"multipart/form-data\"") && page.text.contains("type=\"file\""), "{}", page.text);
    let token = token_of(&page.text);

    let forged = send_parts(&world, &[(".token", None, "x.1.y"), ("who", None, "Ada"), ("photo", Some("a.txt"), "bytes")]).await;
    assert_eq!((forged.status.as_u16(), files(&world).await), (422, 0), "{}", forged.text);
    let before = send_parts(&world, &[("photo", Some("a.txt"), "bytes"), (".token", None, &token), ("who", None, "Ada")]).await;
    assert_eq!((before.status.as_u16(), files(&world).await), (422, 0), "a file before the page's sign");
    let text = send_parts(&world, &[(".token", None, &token), ("who", None, "Ada"), ("photo", None, "{\"file\": \"x\"}")]).await;
    assert_eq!(text.status, 422, "a text is no file: {}", text.text);
    let wrong = send_parts(&world, &[(".token", None, &token), ("photo", Some("a.txt"), "bytes"), ("nobody", Some("b"), "asked")]).await;
    assert_eq!((wrong.status.as_u16(), files(&world).await), (422, 0));
    assert!(wrong.text.contains("choose the file again"), "{}", wrong.text);
    assert_eq!(runs(&world).await.len(), 0);

    let filled = [
        (".token", None, token.as_str()),
        ("who", None, "Ada"),
        ("photo", Some("../a.txt"), "it is me"),
        ("more", Some("1.txt"), ""),
        ("more", Some("2.txt"), "two"),
    ];
    for _ in 0..2 {
        let sent = send_parts(&world, &filled).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        assert_eq!(files(&world).await, 3, "the same page twice keeps its files once");
    }
    let runs = runs(&world).await;
    assert_eq!(runs.len(), 1);
    let id = runs[0]["id"].as_str().unwrap();
    world.get(&format!("/api/runs/{id}/events")).await;
    let run = world.get(&format!("/api/runs/{id}")).await.body["run"].clone();
    assert_eq!(run["output"], json!({"text": "it is me", "names": ["1.txt", "2.txt"]}), "{run}");
    let listed = world.get("/api/files").await.body;
    assert!(listed["files"].as_array().unwrap().iter().all(|file| file["expires_at"].is_string()), "{listed}");
}
