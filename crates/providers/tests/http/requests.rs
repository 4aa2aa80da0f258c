//! What a request looks like on the wire.

use http::Method;
use mainspring_model::Code;
use mainspring_model::action::Effect;
use mainspring_providers::apart::Apart;
use mainspring_providers::{Parts, built_ins};
use serde_json::{Value, json};

use crate::net::*;

async fn sent(action: &str, mut params: Value) -> crate::net::Seen {
    let server = Server::start(|_| json(&json!(null))).await;
    params["url"] = json!(server.url(params["url"].as_str().unwrap_or("/a")));
    Attempt::new().call(&dev(), action, params).await.unwrap();
    server.only()
}

#[tokio::test]
async fn get_is_the_default_and_queries_are_added() {
    let query = json!({"q": "a b&c", "n": 2.5, "on": true, "none": null, "tag": ["x", "y", null]});
    let seen = sent("http.request", json!({"url": "/a?page=1#part", "query": query})).await;
    assert_eq!((seen.method, seen.path.as_str(), seen.query.as_str()), (Method::GET, "/a", "page=1&q=a+b%26c&n=2.5&on=true&tag=x&tag=y"));
    assert_eq!(seen.headers.get("content-length"), None);
    assert_eq!(seen.headers["user-agent"], concat!("Mainspring/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn headers_are_sent_as_written() {
    let seen = sent("http.post", json!({"headers": {"X-Number": 5, "X-None": null, "Content-Type": "application/vnd.api+json", "user-agent": "mine"}, "body": {"b": 1, "a": 2}})).await;
    assert_eq!(
        (seen.header("x-number"), seen.header("content-type"), seen.header("user-agent")),
        ("5", "application/vnd.api+json", "mine")
    );
    assert_eq!((seen.header("x-none"), seen.text().as_str()), ("", r#"{"b":1,"a":2}"#));
}

#[tokio::test]
async fn bodies_by_type() {
    let octets = "application/octet-stream";
    for (body, kind, content_type, bytes) in [
        (json!({"a": [1, null]}), None, "application/json", &br#"{"a":[1,null]}"#[..]),
        (json!("text"), None, "text/plain; charset=utf-8", b"text"),
        (json!("text"), Some("json"), "application/json", br#""text""#),
        (json!(5), Some("text"), "text/plain; charset=utf-8", b"5"),
        (json!({"a": "x y", "b": [1, 2], "c": null}), Some("form"), "application/x-www-form-urlencoded", b"a=x+y&b=1&b=2"),
        (json!("AAH/"), Some("binary"), octets, &[0, 1, 255]),
        (json!({"base64": "AAH/\r\n", "media_type": "image/png"}), Some("binary"), "image/png", &[0, 1, 255]),
        (json!(false), None, "application/json", b"false"),
    ] {
        let seen = sent("http.put", json!({"body": body, "body_type": kind})).await;
        assert_eq!((seen.header("content-type"), &seen.body[..]), (content_type, bytes), "{body}");
        assert_eq!(seen.header("content-length"), bytes.len().to_string());
    }
    assert_eq!(sent("http.post", json!({})).await.header("content-length"), "0");
}

#[tokio::test]
async fn multipart_bodies_are_the_same_bytes_each_time() {
    let body = json!({
        "title": "Q3 \"report\"",
        "n": 3,
        "left out": null,
        "files": [
            {"filename": "a\r\n.txt", "text": "héllo", "content_type": "text/plain"},
            {"base64": "AAH/", "media_type": "image/png", "size": 3},
        ],
    });
    let seen = sent("http.post", json!({"body": body, "body_type": "multipart"})).await;
    let boundary = seen.header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nQ3 \"report\"\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n3\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a%0D%0A.txt\"\r\nContent-Type: text/plain\r\n\r\nhéllo\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"files\"\r\nContent-Type: image/png\r\n\r\n"
    )
    .into_bytes();
    expected.extend_from_slice(&[0, 1, 255]);
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(seen.body, expected);
    assert_eq!(sent("http.post", json!({"body": body, "body_type": "multipart"})).await.body, seen.body);
}

#[tokio::test]
async fn the_idempotency_key_is_sent_where_the_service_takes_it() {
    let seen = sent("http.post", json!({"idempotency_header": "Idempotency-Key", "body": {}})).await;
    assert_eq!(seen.header("idempotency-key"), "KEY234");
}

#[test]
fn the_effect_is_the_methods_unless_a_key_is_sent() {
    let providers = built_ins(&Parts { egress: dev(), apart: Apart::here() });
    let http = providers.iter().find(|provider| provider.id == "http").unwrap();
    for (action, params, effect) in [
        ("request", json!({}), Effect::Read),
        ("request", json!({"method": "head"}), Effect::Read),
        ("request", json!({"method": "OPTIONS"}), Effect::Read),
        ("request", json!({"method": "PUT"}), Effect::Idempotent),
        ("request", json!({"method": "delete"}), Effect::Idempotent),
        ("request", json!({"method": "POST"}), Effect::Write),
        ("request", json!({"method": "PATCH"}), Effect::Write),
        ("request", json!({"method": "?"}), Effect::Write),
        ("request", json!({"method": "POST", "idempotency_header": "Idempotency-Key"}), Effect::Keyed),
        ("request", json!({"method": "POST", "idempotency_header": null}), Effect::Write),
        ("get", json!({}), Effect::Read),
        ("post", json!({}), Effect::Write),
        ("patch", json!({}), Effect::Write),
        ("put", json!({}), Effect::Idempotent),
        ("delete", json!({}), Effect::Idempotent),
    ] {
        assert_eq!(http.action(action).unwrap().effect(&params), effect, "{action} {params}");
    }
}

#[tokio::test]
async fn params_that_cannot_be_sent() {
    let url = "http://127.0.0.1:1/";
    for (params, message) in [
        (json!({}), "request: missing field `url`"),
        (
            json!({"url": url, "methd": "GET"}),
            "request: unknown field `methd`, expected one of `method`, `url`, `query`, `headers`, `body`, `body_type`, `timeout`, `response`, `follow_redirects`, `max_bytes`, `fail_on_status`, `pagination`, `idempotency_header`",
        ),
        (json!({"url": url, "method": "BREW"}), "method: \"BREW\" is none of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"),
        (json!({"url": url, "method": "CONNECT"}), "method: \"CONNECT\" is none of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"),
        (json!({"url": url, "query": {"a": {"b": 1}}}), "query.a must be text, a number, true or false; this is object"),
        (json!({"url": url, "headers": {"Host": "x"}}), "headers: \"host\" is set by Mainspring itself; leave it out"),
        (
            json!({"url": url, "headers": {"X-A": "a\r\nX-B: secret"}}),
            "headers: the value of \"x-a\" holds a line break or another control character",
        ),
        (json!({"url": url, "headers": {"X A": "a"}}), "headers: \"X A\" is no header name"),
        (
            json!({"url": url, "timeout": "soon"}),
            "request: \"soon\" is not a duration; write 500ms, 30s, 5m, 2h, 7d or a number of seconds",
        ),
        (json!({"url": url, "body": [1], "body_type": "form"}), "body: body_type form needs an object; this is list"),
        (json!({"url": url, "body": "!", "body_type": "binary"}), "body is not base64: Invalid symbol 33, offset 0."),
        (
            json!({"url": url, "body": {"a": {"file": 1}}, "body_type": "multipart"}),
            "body.a has the unknown field \"file\"; a file has filename, content_type and text or base64",
        ),
        (json!({"url": url, "body": {"a": {"filename": "x"}}, "body_type": "multipart"}), "body.a needs text or base64: one of the two"),
    ] {
        let attempt = Attempt::new();
        let fault = attempt.call(&dev(), "http.request", params.clone()).await.unwrap_err();
        assert_eq!((&fault.code, fault.message.as_str()), (&Code::INVALID_PARAMS, message), "{params}");
        assert!(!attempt.sent());
    }
    let fault = Attempt::new().call(&dev(), "http.get", json!({"url": url, "method": "POST"})).await.unwrap_err();
    assert_eq!(fault.message, "method: this action sends GET; for another method use http.request");
}
