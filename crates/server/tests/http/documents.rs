//! The OpenAPI document: it says what is served, and nothing else is.

use axum::body::Body;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use mainspring_model::credential::Secret;
use mainspring_server::settings::Settings;

use super::world::{World, ask};

const UNKNOWN: &str = "019a0000-0000-7000-8000-000000000000";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| -> Vec<_> {
        item.as_object()
            .unwrap()
            .iter()
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
            .collect()
    };
    paths.iter().flat_map(of).collect()
}

#[tokio::test]
async fn every_documented_operation_is_served_and_no_other_method() {
    let token = Some(Secret::new("a-token-for-the-monitor".to_owned()));
    let world = World::with(Settings { dev: true, metrics_token: token, ..World::settings() }).await;
    let document = world.get("/api/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let documented = operations(&document);
    for (path, ..) in &documented {
        let address = path.replace("{id}", UNKNOWN).replace("{provider}", "http").replace("{path}", "nothing").replace("{name}", "X");
        let address = address.replace("{user}", UNKNOWN).replace("{invitation}", UNKNOWN);
        for method in METHODS {
            let known = documented.iter().any(|(other, with, _)| other == path && with == method);
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = world.send(ask(method.clone(), &address).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status != 405, known, "{method} {path}: {}", answer.text);
            // The router's own "no such address" would mean that the document promises what is not there.
            assert!(!answer.body["detail"].as_str().unwrap_or_default().starts_with("the address"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_document_holds_together() {
    let document = World::dev().await.get("/api/openapi.json").await.body;
    let mut ids = std::collections::HashSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id")).to_owned();
        assert!(ids.insert(id.clone()), "{id} names two operations");
        assert!(operation["summary"].is_string() && operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} is not there");
    }
}

#[tokio::test]
async fn the_operations_are_these() {
    let document = World::dev().await.get("/api/openapi.json").await.body;
    let listed: Vec<Value> = operations(&document)
        .into_iter()
        .map(|(path, method, operation)| {
            let answers: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
            json!(format!("{} {path} {} → {answers:?}", method.to_uppercase(), operation["operationId"].as_str().unwrap_or_default()))
        })
        .collect();
    assert_json_snapshot!("operations", listed);
    assert_json_snapshot!("schemas", document["components"]);
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let page = World::dev().await.get("/api/docs").await;
    assert_eq!((page.status.as_u16(), &page.headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    assert!(page.text.contains("/api/execution-logs") && !page.text.contains("<script"));
    assert!(!page.text.contains("src=") && !page.text.contains("@import"));
}
