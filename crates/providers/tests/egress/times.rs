//! Time-outs in each phase, by a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mainspring_model::{Class, Code, Effected};
use mainspring_providers::egress::{Egress, Mode, Policy, Request};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::net::*;

#[tokio::test]
async fn while_connecting_nothing_was_sent() {
    let names = Arc::new(Names::silent());
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Strict), names.clone()));
    let attempt = Attempt::new();
    let call = attempt.call(&egress, "http.post", json!({"url": "http://slow.test/a", "timeout": "1500ms", "body": 1}));
    let (result, ()) = tokio::join!(biased; call, async { attempt.clock.advance_to(NOW + 1_500) });
    let fault = result.unwrap_err();
    assert_eq!(fault.message, "POST slow.test/a: no connection within 1500 ms; check host, port and firewall");
    assert_eq!((fault.code, fault.class, fault.retryable, fault.effect), (Code::TIMEOUT, Class::Transient, true, Effected::Unsent));
    assert!(!attempt.sent());
    assert_eq!(names.asked(), ["slow.test"]);
}

#[tokio::test]
async fn while_waiting_the_effect_is_unknown() {
    let raw = Raw::listen().await;
    let (egress, attempt) = (dev(), Attempt::new());
    let call = attempt.call(&egress, "http.post", json!({"url": raw.url("/a"), "timeout": 5, "body": 1}));
    let serve = async {
        let stream = raw.request().await;
        attempt.clock.advance_to(NOW + 5_000);
        stream
    };
    let (result, _stream) = tokio::join!(call, serve);
    let fault = result.unwrap_err();
    assert_eq!(fault.message, format!("POST {}/a: no answer within 5 s; whether the service acted on the request is unknown", raw.address));
    assert_eq!((fault.code, fault.effect), (Code::TIMEOUT, Effected::Unknown));
    assert!(attempt.sent());
}

#[tokio::test]
async fn a_slow_body_was_answered() {
    let raw = Raw::listen().await;
    let attempt = Attempt::new();
    let egress = dev();
    let mut request = Request::new(Method::GET, Request::parse_url(&raw.url("/a")).unwrap());
    request.timeout = Some(Duration::from_secs(10));
    let serve = async {
        let mut stream = raw.request().await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(egress.send(request, &attempt.cx), serve);
    let mut answer = answer.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
    let (fault, ()) = tokio::join!(biased; answer.chunk(), async { attempt.clock.advance_to(NOW + 10_000) });
    let fault = fault.unwrap_err();
    assert_eq!(
        fault.message,
        format!(
            "GET {}/a: the answer was not complete within 10 s, 5 bytes had come; give the step a longer timeout, or ask for less",
            raw.address
        )
    );
    assert_eq!((fault.code, fault.retryable, fault.effect), (Code::TIMEOUT, true, Effected::Sent));
}

#[tokio::test]
async fn the_attempts_deadline_bounds_every_call() {
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Strict), Arc::new(Names::silent())));
    let attempt = Attempt::new();
    let call = attempt.call(&egress, "http.request", json!({"url": "http://slow.test/a", "timeout": "1h"}));
    let (result, ()) = tokio::join!(biased; call, async { attempt.clock.advance_to(NOW + 30_000) });
    assert_eq!(result.unwrap_err().message, "GET slow.test/a: no connection within 30 s; check host, port and firewall");
}
