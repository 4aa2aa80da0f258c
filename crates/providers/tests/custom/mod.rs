//! Custom integrations: a definition becomes a provider, or all its problems are told.

use std::sync::Arc;

use mainspring_model::action::Effect;
use mainspring_model::catalog::Provider;
use mainspring_model::id::IntegrationId;
use mainspring_model::{Code, Effected};
use mainspring_providers::custom::{Definition, provider, validate};
use serde_json::{Value, json};

use crate::net::*;

fn id() -> IntegrationId {
    "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
}

fn definition(document: Value) -> Definition {
    Definition::from_value(document).unwrap()
}

fn shop(base_url: &str) -> Value {
    json!({
        "name": "shop", "display_name": "My shop", "description": "Orders.", "base_url": base_url, "auth_type": "api_key",
        "auth_header": "X-Shop-Key", "auth_prefix": "",
        "actions": [
            {"id": "get_order", "name": "Get an order", "method": "GET", "endpoint": "/orders/{order_id}/lines/{line}", "description": "One line.",
             "params": {"order_id": "string", "expand": {"type": "boolean", "required": true}}},
            {"id": "create_order", "method": "post", "endpoint": "orders?draft=1", "params": [{"name": "total", "type": "number", "required": true}, "note"]},
            {"id": "cancel", "name": "cancel", "method": "DELETE", "endpoint": "/orders/{id}", "params": {"type": "object", "properties": {"id": {}, "why": {"type": "string"}}, "required": ["why"]}},
        ],
    })
}

fn made(document: Value) -> Provider {
    provider(id(), &definition(document), dev()).unwrap()
}

#[test]
fn the_provider_shows_what_the_definition_says() {
    let provider = made(shop("https://shop.test/api"));
    assert_eq!((provider.id.as_str(), provider.title.as_str()), ("custom_01890a5d-ac96-774b-bcce-b302099a8057", "My shop"));
    assert_eq!(provider.action_names(), ["get_order", "create_order", "cancel", "request"]);
    assert_eq!(provider.action("Get an order").unwrap().spec().name, "get_order");
    assert_eq!(provider.credential.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["api_key"]);
    let specs: Vec<_> = provider.actions.iter().map(|action| action.spec()).collect();
    assert_eq!(specs.iter().map(|spec| spec.effect).collect::<Vec<_>>(), [Effect::Read, Effect::Write, Effect::Idempotent, Effect::Write]);
    assert!(specs.iter().all(|spec| spec.needs_credential));
    assert_eq!(
        specs[0].params,
        json!({
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "line": {"type": ["string", "number"], "description": "Part of the address."}, "expand": {"type": "boolean"}},
            "required": ["order_id", "line", "expand"],
        })
    );
}

#[tokio::test]
async fn placeholders_query_body_and_key_are_sent() {
    let server = Server::start(|_| json(&json!({"ok": 1}))).await;
    let provider = made(shop(&server.url("/api/")));
    let attempt = Attempt::with(&[("api_key", "k1")]);
    for (action, params, method, path, query, body) in [
        (
            "get_order",
            json!({"order_id": "a/b ü?#%2e", "line": 7, "expand": true, "page": 2}),
            "GET",
            "/api/orders/a%2Fb%20%C3%BC%3F%23%252e/lines/7",
            "expand=true&page=2",
            "",
        ),
        ("create_order", json!({"total": 9.5, "note": null}), "POST", "/api/orders", "draft=1", r#"{"total":9.5,"note":null}"#),
        ("cancel", json!({"id": 3, "why": "late"}), "DELETE", "/api/orders/3", "why=late", ""),
        ("request", json!({"endpoint": "/status", "query": {"a": 1}}), "GET", "/api/status", "a=1", ""),
        ("request", json!({"endpoint": "", "method": "PATCH", "body": [1], "headers": {"X-A": "1"}}), "PATCH", "/api", "", "[1]"),
    ] {
        let output = attempt.call_of(&provider, action, params).await.unwrap();
        assert_eq!(output.value, json!({"ok": 1}));
        let seen = server.seen().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str(), seen.query.as_str(), seen.text().as_str()),
            (method, path, query, body),
            "{action}"
        );
        assert_eq!(seen.header("x-shop-key"), "k1");
    }
}

#[tokio::test]
async fn nothing_leads_the_key_away_from_the_base_address() {
    let server = Server::start(|_| json(&json!(1))).await;
    let provider = made(shop(&server.url("/api")));
    let attempt = Attempt::with(&[("api_key", "k1")]);
    for order in ["..", ".", ""] {
        let fault = attempt.call_of(&provider, "get_order", json!({"order_id": order, "line": 1, "expand": true})).await.unwrap_err();
        assert_eq!(
            (fault.code, fault.message),
            (Code::INVALID_PARAMS, format!("order_id is part of the address and cannot be \"{order}\""))
        );
    }
    for endpoint in ["../admin", "/../admin", "/a/../../admin", "%2e%2e/admin", "/%2E%2e/admin", "..\\admin", "/./../admin"] {
        let fault = attempt.call_of(&provider, "request", json!({"endpoint": endpoint})).await.unwrap_err();
        assert_eq!(
            (fault.code, fault.message),
            (Code::INVALID_PARAMS, format!("endpoint: \"{endpoint}\" leads away from the integration's base address"))
        );
    }
    assert!(server.seen().is_empty());
    for endpoint in ["@evil.test/", "//evil.test/", "https://evil.test/", "\\\\evil.test", "\\..\\evil.test", ".evil.test/"] {
        attempt.call_of(&provider, "request", json!({"endpoint": endpoint})).await.unwrap();
        assert!(server.seen().pop().unwrap().path.starts_with("/api/"), "{endpoint}");
    }
}

#[tokio::test]
async fn login_by_type() {
    let server = Server::start(|_| json(&json!(1))).await;
    let document =
        |auth: &str| json!({"name": "a", "base_url": server.url(""), "auth_type": auth, "actions": [{"id": "go", "endpoint": "/"}]});
    for (auth, fields, sent) in [
        ("api_key", &[("api_key", "k")][..], "Bearer k"),
        ("oauth", &[("access_token", "t")], "Bearer t"),
        ("oauth", &[("oauth_token", "u")], "Bearer u"),
        ("none", &[("api_key", "k")], ""),
    ] {
        Attempt::with(fields).call_of(&made(document(auth)), "go", json!({})).await.unwrap();
        assert_eq!(server.seen().pop().unwrap().header("authorization"), sent);
    }
    let fault = Attempt::new().call_of(&made(document("oauth")), "go", json!({})).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.message.as_str(), fault.effect),
        (Code::MISSING_CREDENTIALS, "the integration needs a credential with access_token; store one for it", Effected::Unsent)
    );
    assert!(!made(document("none")).actions[0].spec().needs_credential);
}

#[tokio::test]
async fn missing_and_wrong_params() {
    let provider = made(shop("http://127.0.0.1:1"));
    let attempt = Attempt::with(&[("api_key", "k1")]);
    for (action, params, message) in [
        ("get_order", json!({"line": 1, "expand": true}), "get_order: order_id is missing"),
        (
            "get_order",
            json!({"order_id": "1", "line": {"a": 1}, "expand": true}),
            "line is part of the address, so it must be text or a number; this is object",
        ),
        ("create_order", json!({"note": "x"}), "create_order: total is missing"),
        ("create_order", json!([1]), "params must be an object"),
        ("request", json!({"endpoint": "/", "qery": {}}), "request has no param \"qery\"; it has endpoint, method, query, headers, body"),
        ("request", json!({"endpoint": 5}), "endpoint must be text"),
    ] {
        let fault = attempt.call_of(&provider, action, params).await.unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (Code::INVALID_PARAMS, message));
    }
}

#[test]
fn all_problems_at_once() {
    let broken = definition(json!({
        "name": " ", "base_url": "ftp://x", "auth_header": "Host", "auth_prefix": "a\nb",
        "actions": [
            {"id": "Bad Id", "method": "BREW", "endpoint": "/a/{b", "params": 5},
            {"id": "twice", "endpoint": "https://evil.test/", "params": {"a": "text"}},
            {"id": "twice", "endpoint": "/{a b}", "params": [{"type": "string"}]},
        ],
    }));
    let problems: Vec<String> = validate(&broken).iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "/name INVALID_INTEGRATION: a name of 1 to 200 characters is needed",
            "/base_url INVALID_INTEGRATION: only http and https addresses are asked",
            "/auth_header INVALID_INTEGRATION: headers: \"host\" is set by Mainspring itself; leave it out",
            "/auth_prefix INVALID_INTEGRATION: it holds a line break or another control character",
            "/actions/0/id INVALID_INTEGRATION: \"Bad Id\" is no action name; write a-z, 0-9 and _, a letter first, up to 64 characters",
            "/actions/0/method INVALID_INTEGRATION: method: \"BREW\" is none of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE",
            "/actions/0/endpoint INVALID_INTEGRATION: a \"{\" is not closed",
            "/actions/0/params INVALID_INTEGRATION: params must be an object or a list",
            "/actions/1/endpoint INVALID_INTEGRATION: an endpoint is a path below the base address",
            "/actions/1/params/a INVALID_INTEGRATION: \"text\" is none of string, number, integer, boolean, array, object",
            "/actions/2/id INVALID_INTEGRATION: \"twice\" names two actions",
            "/actions/2/endpoint INVALID_INTEGRATION: \"{a b}\" is no placeholder; write a param's name",
            "/actions/2/params/0 INVALID_INTEGRATION: a param needs a name",
        ]
    );
    assert_eq!(provider(id(), &broken, dev()).err().unwrap().len(), problems.len());
    for base in ["", "http://", "http://u:p@x.test", "http://x.test/?a=1"] {
        assert_eq!(validate(&definition(json!({"name": "a", "base_url": base}))).len(), 1, "{base}");
    }
}

#[test]
fn the_older_form_has_its_login_in_oauth_config() {
    let read = definition(
        json!({"name": "a", "auth_type": "oauth", "oauth_config": {"base_url": "https://a.test", "auth_prefix": "Token"}, "auth_header": "X-A"}),
    );
    assert_eq!((read.base_url.as_str(), read.auth_header.as_str(), read.auth_prefix.as_str()), ("https://a.test", "X-A", "Token"));
    assert!(validate(&read).is_empty());
}

#[tokio::test]
async fn a_private_base_address_is_judged_like_any_other() {
    let provider =
        provider(id(), &definition(json!({"name": "a", "base_url": "http://10.0.0.1", "auth_type": "none"})), Arc::clone(&dev())).unwrap();
    let fault = Attempt::new().call_of(&provider, "request", json!({"endpoint": "/"})).await.unwrap_err();
    assert_eq!(fault.code, Code::BLOCKED_ADDRESS);
}
