//! Connections that cannot be made, or break: code, message, and whether the service can have seen the request.

use std::sync::Arc;
use std::time::Duration;

use mainspring_model::{Class, Code, Effected};
use mainspring_providers::egress::{Egress, Limits, Mode, Policy};
use serde_json::json;

use crate::net::*;

#[tokio::test]
async fn a_host_that_does_not_resolve() {
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Strict), Arc::new(Names::new())));
    let attempt = Attempt::new();
    let fault = attempt.call(&egress, "http.request", json!({"url": "http://nowhere.test/a?key=hidden"})).await.unwrap_err();
    assert_eq!(
        fault.message,
        "GET nowhere.test/a: the host name \"nowhere.test\" was not found (no such name); check its spelling, or this machine's DNS"
    );
    assert_eq!(
        (fault.code, fault.class, fault.retryable, fault.effect),
        (Code::CONNECTION_FAILED, Class::Transient, true, Effected::Unsent)
    );
    assert!(!attempt.sent());
}

#[tokio::test]
async fn a_refused_connection() {
    let raw = Raw::listen().await;
    let (url, address) = (raw.url("/a"), raw.address);
    drop(raw);
    let attempt = Attempt::new();
    let fault = attempt.call(&dev(), "http.post", json!({"url": url, "body": {"a": 1}})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!("POST {address}/a: the connection was refused; check host and port, and that the service is running")
    );
    assert_eq!((fault.code, fault.retryable, fault.effect), (Code::CONNECTION_FAILED, true, Effected::Unsent));
    assert!(!attempt.sent());
}

#[tokio::test]
async fn a_connection_that_is_reset_after_the_request() {
    let raw = Raw::listen().await;
    let (egress, attempt) = (dev(), Attempt::new());
    let call = attempt.call(&egress, "http.post", json!({"url": raw.url("/a"), "body": {"a": 1}}));
    let (result, ()) = tokio::join!(call, async { reset(raw.request().await) });
    let fault = result.unwrap_err();
    assert_eq!(
        fault.message,
        format!(
            "POST {}/a: the connection was closed before an answer came, so whether the service acted on the request is unknown",
            raw.address
        )
    );
    assert_eq!((fault.code, fault.effect), (Code::CONNECTION_FAILED, Effected::Unknown));
    assert!(attempt.sent());
}

#[tokio::test]
async fn an_answer_that_breaks_off() {
    let raw = Raw::listen().await;
    let (egress, attempt) = (dev(), Attempt::new());
    let call = attempt.call(&egress, "http.request", json!({"url": raw.url("/a")}));
    let (result, ()) = tokio::join!(call, raw.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello"));
    let fault = result.unwrap_err();
    assert_eq!(fault.message, format!("GET {}/a: the connection was closed after 5 bytes of the answer", raw.address));
    assert_eq!((fault.code, fault.effect), (Code::CONNECTION_FAILED, Effected::Sent));
}

#[tokio::test]
async fn an_answer_that_is_not_http() {
    let raw = Raw::listen().await;
    let (egress, attempt) = (dev(), Attempt::new());
    let call = attempt.call(&egress, "http.request", json!({"url": raw.url("/a")}));
    let (result, ()) = tokio::join!(call, raw.answer(b"220 mail.test ESMTP\r\n"));
    let fault = result.unwrap_err();
    assert_eq!(
        fault.message,
        format!("GET {}/a: the answer is not HTTP (invalid HTTP version parsed); check scheme and port", raw.address)
    );
    assert_eq!((fault.code, fault.effect), (Code::BAD_RESPONSE, Effected::Unknown));
}

fn trusting(pem: Vec<u8>) -> Arc<Egress> {
    let policy = Policy { extra_roots: vec![pem], ..Policy::new(Mode::Dev) };
    Arc::new(Egress::with_lookup(policy, Arc::new(Names::new().otherwise("127.0.0.1"))))
}

#[tokio::test]
async fn a_self_signed_certificate() {
    let server = TlsServer::start(&["secure.test"], false).await;
    let url = format!("https://secure.test:{}/a", server.address.port());
    let attempt = Attempt::new();
    let fault = attempt.call(&trusting(unrelated_root()), "http.post", json!({"url": url, "body": {}})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!(
            "POST secure.test:{}/a: the service's certificate is not accepted: it is signed by nobody this machine trusts (is it self-signed?); get one from an authority, or add its own to this machine's",
            server.address.port()
        )
    );
    assert_eq!((fault.code, fault.retryable, fault.effect), (Code::TLS_FAILED, false, Effected::Unsent));
    assert!(!attempt.sent());
}

#[tokio::test]
async fn a_service_that_never_answers_the_handshake() {
    let raw = Raw::listen().await;
    let limits = Limits { connect_timeout: Duration::from_millis(200), ..Limits::default() };
    let policy = Policy { extra_roots: vec![unrelated_root()], limits, ..Policy::new(Mode::Dev) };
    let attempt = Attempt::new();
    let call = attempt.call(&Arc::new(Egress::new(policy)), "http.get", json!({"url": raw.url("/a").replace("http:", "https:")})).await;
    let fault = call.unwrap_err();
    let said = format!("GET {}/a: no TLS connection within the time for connecting; check host and port", raw.address);
    assert_eq!((fault.message, fault.code, fault.retryable, fault.effect), (said, Code::TIMEOUT, true, Effected::Unsent));
    assert!(!attempt.sent());
}

#[tokio::test]
async fn a_certificate_that_is_trusted_but_for_another_name() {
    let server = TlsServer::start(&["secure.test"], false).await;
    let egress = trusting(server.pem.clone().into_bytes());
    let output =
        Attempt::new().call(&egress, "http.request", json!({"url": format!("https://secure.test:{}/", server.address.port())})).await;
    assert_eq!(output.unwrap().value, json!("HTTP/1.1 "));
    let url = format!("https://other.test:{}/", server.address.port());
    let fault = Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!("GET other.test:{}/: the service's certificate is not accepted: it is for another host name", server.address.port())
    );
    assert_eq!((fault.code, fault.effect), (Code::TLS_FAILED, Effected::Unsent));
}

#[tokio::test]
async fn http_2_where_the_service_offers_it() {
    let server = TlsServer::start(&["secure.test"], true).await;
    let egress = trusting(server.pem.clone().into_bytes());
    let attempt = Attempt::new();
    let params = json!({"url": format!("https://secure.test:{}/", server.address.port()), "body": "hello"});
    let output = attempt.call(&egress, "http.post", params.clone()).await.unwrap();
    assert_eq!(output.value, json!("HTTP/2.0 hello"));
    assert!(attempt.sent());
    let calls = (0..100).map(|_| async { Attempt::new().call(&egress, "http.post", params.clone()).await.unwrap().value });
    assert_eq!(futures_util::future::join_all(calls).await, vec![json!("HTTP/2.0 hello"); 100]);
}

#[tokio::test]
async fn https_to_a_port_without_tls() {
    let server = Server::start(|_| reply(200, &[], "plain")).await;
    let url = format!("https://{}/a", server.address);
    let fault = Attempt::new().call(&trusting(unrelated_root()), "http.request", json!({"url": url})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!("GET {}/a: the service does not speak TLS on this port; use http://, or its TLS port", server.address)
    );
    assert_eq!((fault.code, fault.effect), (Code::TLS_FAILED, Effected::Unsent));
}

#[tokio::test]
async fn connections_are_kept_and_one_lookup_serves_a_fan_out() {
    let server = Server::start(|_| json(&json!(1))).await;
    let names = Arc::new(Names::new().with("local.test", &[&["127.0.0.1"]]));
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Dev), names.clone()));
    let url = format!("http://local.test:{}/", server.address.port());
    for _ in 0..5 {
        Attempt::new().call(&egress, "http.request", json!({"url": url})).await.unwrap();
    }
    assert_eq!((server.connections(), names.asked().len()), (1, 1));
    let provider = mainspring_providers::http::provider(egress.clone());
    let calls = (0..1_000).map(|_| async { Attempt::new().call_of(&provider, "request", json!({"url": url})).await.unwrap().value });
    let values = futures_util::future::join_all(calls).await;
    assert_eq!(values, vec![json!(1); 1_000]);
    assert_eq!(server.seen().len(), 1_005);
    assert!(names.asked().len() <= server.connections());
}

#[tokio::test]
async fn a_process_that_lost_its_run_sends_nothing_of_a_body() {
    let server = Server::start(|_| crate::net::json(&json!({}))).await;
    let egress = dev();
    let mut attempt = Attempt::new();
    // On a connection that is there already, and on a new one.
    attempt.call(&egress, "http.post", json!({"url": server.url("/first"), "body": {"n": 1}})).await.unwrap();
    let mut lost = Attempt::new();
    lost.cx.holds = Some(Arc::new(|| false));
    for path in ["/kept", "/new"] {
        let fault = lost.call(&egress, "http.post", json!({"url": server.url(path), "body": {"n": 2}})).await.unwrap_err();
        assert_eq!((fault.effect, lost.sent()), (Effected::Unsent, false), "{fault}");
    }
    // As soon as it is sure again.
    attempt.cx.holds = Some(Arc::new(|| true));
    attempt.call(&egress, "http.post", json!({"url": server.url("/last"), "body": {"n": 3}})).await.unwrap();
    let seen: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(seen, ["/first", "/last"]);
}
