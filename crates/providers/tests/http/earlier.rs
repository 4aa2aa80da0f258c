//! The earlier systems' `webhook` and `custom_api`.

use http::Method;
use mainspring_model::Code;
use serde_json::json;

use crate::net::*;

#[tokio::test]
async fn webhook_posts_json_and_gives_the_answers_json_or_ok() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/json" => json(&json!({"id": 7})),
        "/text" => reply(200, &[("content-type", "text/plain")], "thanks"),
        _ => reply(204, &[], ""),
    })
    .await;
    for (path, expected) in [("/json", json!({"id": 7})), ("/text", json!({"status": "ok"})), ("/none", json!({"status": "ok"}))] {
        let params = json!({"url": server.url(path), "payload": {"text": "hi"}, "headers": {"X-A": "b"}, "timeout": 10});
        let output = Attempt::new().call(&dev(), "webhook.post_request", params).await.unwrap();
        assert_eq!((output.value, &output.metadata["url"]), (expected, &json!(server.url(path))));
        assert!(output.metadata["status_code"].is_u64());
    }
    let seen = server.seen().remove(0);
    assert_eq!((seen.method.clone(), seen.header("content-type"), seen.header("x-a")), (Method::POST, "application/json", "b"));
    assert_eq!(seen.text(), r#"{"text":"hi"}"#);
    Attempt::new().call(&dev(), "webhook.post_request", json!({"url": server.url("/none")})).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().text(), "{}");
}

#[tokio::test]
async fn webhook_waits_ten_seconds() {
    let raw = Raw::listen().await;
    let (egress, attempt) = (dev(), Attempt::new());
    let call = attempt.call(&egress, "webhook.post_request", json!({"url": raw.url("/a")}));
    let serve = async {
        let stream = raw.request().await;
        attempt.clock.advance_to(NOW + 10_000);
        stream
    };
    let (result, _stream) = tokio::join!(call, serve);
    let fault = result.unwrap_err();
    assert_eq!(fault.code, Code::TIMEOUT);
    assert!(fault.message.contains("no answer within 10 s"), "{fault}");
}

#[tokio::test]
async fn custom_api_in_both_forms() {
    let server = Server::start(|_| json(&json!({"ok": true}))).await;
    let base = server.url("");
    for (params, fields, method, target, header, body) in [
        (
            json!({"base_url": base, "endpoint": "/items", "body": {"limit": 2}}),
            &[("api_key", "k")][..],
            "GET",
            "/items?limit=2",
            ("authorization", "Bearer k"),
            "",
        ),
        (
            json!({"base_url": format!("{base}/v1/"), "endpoint": "items", "method": "post", "body": {"a": 1}, "auth_header": "X-Key", "auth_prefix": ""}),
            &[("api_key", "k")],
            "POST",
            "/v1/items?",
            ("x-key", "k"),
            r#"{"a":1}"#,
        ),
        (
            json!({"base_url": base, "endpoint": "?x=1", "method": "DELETE", "headers": {"X-A": "1"}}),
            &[],
            "DELETE",
            "/?x=1",
            ("x-a", "1"),
            "",
        ),
        (
            json!({"url": format!("{base}/old"), "method": "PUT", "headers_json": "{\"X-B\": \"2\"}", "body_json": "{\"b\": [2]}"}),
            &[],
            "PUT",
            "/old?",
            ("x-b", "2"),
            r#"{"b":[2]}"#,
        ),
        (json!({"url": format!("{base}/old"), "headers_json": {"X-B": "3"}, "body_json": ""}), &[], "GET", "/old?", ("x-b", "3"), ""),
    ] {
        for action in ["custom_api.call_api", "custom_api.request"] {
            let output = Attempt::with(fields).call(&dev(), action, params.clone()).await.unwrap();
            assert_eq!(output.value, json!({"ok": true}));
            let seen = server.seen().pop().unwrap();
            let at = format!("{}?{}", seen.path, seen.query);
            assert_eq!(
                (seen.method.as_str(), at.as_str(), seen.header(header.0), seen.text().as_str()),
                (method, target, header.1, body),
                "{params}"
            );
        }
    }
}

#[tokio::test]
async fn custom_api_params_that_cannot_be_sent() {
    for (params, message) in [
        (json!({}), "base_url is missing"),
        (json!({"url": "http://a.test", "base_url": "http://b.test"}), "write url, or base_url with endpoint: not both"),
        (json!({"url": "http://a.test", "body": [1]}), "body: with GET it is the query, so it must be an object"),
        (json!({"url": "http://a.test", "headers_json": "[]"}), "headers_json must be an object"),
        (json!({"url": "http://a.test", "body_json": "{"}), "body_json is not JSON: EOF while parsing an object at line 1 column 1"),
    ] {
        let fault = Attempt::new().call(&dev(), "custom_api.call_api", params).await.unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (Code::INVALID_PARAMS, message));
    }
}
