//! Answers outside 2xx: the code, the wait that was asked for, what of the body is kept.

use mainspring_model::{Class, Code, Effected, Fault};
use serde_json::json;

use crate::net::*;

async fn asked(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> (Fault, String) {
    let server = Server::start(move |_| reply(status, headers, body)).await;
    let params = json!({"url": server.url("/a?key=hidden"), "headers": {"X-Api-Key": "hidden"}});
    let fault = Attempt::with(&[("token", "hidden")]).call(&dev(), "http.request", params).await.unwrap_err();
    assert!(!serde_json::to_string(&fault).unwrap().contains("hidden"));
    (fault, server.address.to_string())
}

#[tokio::test]
async fn a_server_error_without_a_wait() {
    let (fault, at) = asked(500, &[], "it broke").await;
    assert_eq!(fault.message, format!("GET {at}/a answered 500 Internal Server Error; the service itself failed"));
    assert_eq!((fault.code.as_str(), fault.class, fault.retryable, fault.effect), ("HTTP_500", Class::Transient, true, Effected::Sent));
    assert_eq!(fault.details, Some(json!({"status": 500, "body": "it broke"})));
    assert_eq!(fault.retry_after_ms, None);
}

#[tokio::test]
async fn a_server_error_with_a_wait() {
    let (fault, at) = asked(503, &[("retry-after", "7")], "").await;
    assert_eq!(fault.message, format!("GET {at}/a answered 503 Service Unavailable; the service asks for a wait of 7s first"));
    assert_eq!((fault.code.as_str(), fault.retryable, fault.retry_after_ms), ("HTTP_503", true, Some(7_000)));
    let (fault, _) = asked(502, &[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], "").await;
    assert_eq!((fault.code.as_str(), fault.retryable, fault.retry_after_ms), ("HTTP_502", true, Some(30_000)));
}

#[tokio::test]
async fn a_rate_limit() {
    let (fault, at) = asked(429, &[("retry-after", "2")], r#"{"error": {"message": "slow down."}}"#).await;
    assert_eq!(fault.message, format!("GET {at}/a answered 429 Too Many Requests: slow down; the service asks for a wait of 2s first"));
    assert_eq!((fault.code, fault.class, fault.retryable, fault.retry_after_ms), (Code::RATE_LIMITED, Class::Limit, true, Some(2_000)));
    let (fault, _) = asked(429, &[], "").await;
    assert_eq!((fault.code, fault.retry_after_ms), (Code::RATE_LIMITED, None));
}

#[tokio::test]
async fn faults_of_the_caller() {
    for (status, class, retryable) in [
        (400, Class::Input, false),
        (401, Class::Auth, false),
        (403, Class::Auth, false),
        (404, Class::Input, false),
        (408, Class::Transient, true),
    ] {
        let (fault, _) = asked(status, &[], "").await;
        assert_eq!((fault.code.http_status(), fault.class, fault.retryable), (Some(status), class, retryable));
    }
}

#[tokio::test]
async fn a_long_body_is_kept_to_2000_characters_and_a_line_of_it_is_shown() {
    let long = format!(r#"{{"detail": "{}"}}"#, "é".repeat(5_000));
    let server = Server::start(move |_| reply(422, &[("content-type", "application/json")], long.clone())).await;
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/")})).await.unwrap_err();
    let details = fault.details.unwrap();
    assert_eq!(details["body"].as_str().unwrap().chars().count(), 2_000);
    assert!(fault.message.chars().count() < 500);
}

#[tokio::test]
async fn a_status_may_be_an_answer() {
    let server = Server::start(|_| reply(404, &[("content-type", "text/plain")], "none")).await;
    let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/"), "fail_on_status": false})).await.unwrap();
    assert_eq!((output.value, &output.metadata["status_code"]), (json!("none"), &json!(404)));
}
