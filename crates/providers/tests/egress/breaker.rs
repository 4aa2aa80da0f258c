//! A host that fails is held back and found again: what counts, who is turned away, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use mainspring_model::id::{OrgId, Owner};
use mainspring_model::{Code, Effected, Fault};
use mainspring_providers::egress::{Egress, HostCircuit, Limits, Mode, Policy};
use serde_json::json;

use crate::net::*;

fn after(failures: u32) -> Arc<Egress> {
    Arc::new(Egress::new(Policy { limits: Limits { breaker_after: failures, ..Limits::default() }, ..Policy::new(Mode::Dev) }))
}

async fn code(attempt: &Attempt, egress: &Arc<Egress>, url: &str) -> Option<Code> {
    attempt.call(egress, "http.request", json!({"url": url})).await.err().map(|fault| fault.code)
}

/// A server that answers with the status that the test sets.
async fn answering() -> (Server, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let read = status.clone();
    let server = Server::start(move |_| match read.load(Ordering::SeqCst) {
        429 => reply(429, &[("retry-after", "7")], ""),
        status => reply(status, &[("content-type", "text/plain")], "x"),
    })
    .await;
    (server, status)
}

#[tokio::test]
async fn it_opens_lets_one_probe_through_and_closes() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(3), Attempt::new(), server.url("/a"));
    status.store(503, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(code(&attempt, &egress, &url).await, Some(Code::http(503)));
    }
    let fault: Fault = attempt.call(&egress, "http.post", json!({"url": url, "body": 1})).await.unwrap_err();
    let host = server.address.to_string();
    assert_eq!(
        fault.message,
        format!(
            "POST {host}/a: {host} failed 3 times in a row, with HTTP_503 at last; nothing was sent, and the next try is in 1s, at 2015-10-21T07:28:01Z"
        )
    );
    assert_eq!(
        (&fault.code, fault.effect, fault.retryable, fault.retry_after_ms),
        (&Code::CIRCUIT_OPEN, Effected::Unsent, true, Some(1_000))
    );
    assert_eq!(fault.details.unwrap()["next_try"], "2015-10-21T07:28:01Z");
    assert_eq!(server.seen().len(), 3, "nothing was sent");
    let seen = egress.breaker().hosts(Some(Owner::LOCAL.org), NOW);
    assert_eq!((seen.len(), seen[0].host.as_str(), seen[0].state, seen[0].failures), (1, host.as_str(), HostCircuit::Open, 3));
    assert_eq!((seen[0].opened_at, seen[0].next_try), (Some(NOW), Some(NOW + 1_000)));

    // The probe fails, the pause doubles; the next one succeeds and everybody is let in again.
    attempt.clock.advance_to(NOW + 1_000);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::http(503)));
    attempt.clock.advance_to(NOW + 2_999);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN));
    status.store(200, Ordering::SeqCst);
    attempt.clock.advance_to(NOW + 3_000);
    assert_eq!(code(&attempt, &egress, &url).await, None);
    assert_eq!(code(&attempt, &egress, &url).await, None);
    assert_eq!((server.seen().len(), egress.breaker().hosts(None, NOW + 3_000)), (6, vec![]));
    assert_eq!(egress.breaker().turned_away(), 2);
}

#[tokio::test]
async fn only_one_of_many_probes() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(1), Attempt::new(), server.url("/a"));
    status.store(500, Ordering::SeqCst);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::http(500)));
    attempt.clock.advance_to(NOW + 1_000);
    let calls = (0..50).map(|_| code(&attempt, &egress, &url));
    let ended = futures_util::future::join_all(calls).await;
    assert_eq!(ended.iter().filter(|code| **code == Some(Code::http(500))).count(), 1);
    assert_eq!(ended.iter().filter(|code| **code == Some(Code::CIRCUIT_OPEN)).count(), 49);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn answers_that_are_about_the_request_are_no_failures_and_a_good_one_begins_anew() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(2), Attempt::new(), server.url("/a"));
    for answer in [400, 404, 401, 422, 500, 404, 500, 200, 500, 301] {
        status.store(answer, Ordering::SeqCst);
        assert_ne!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN), "{answer}");
    }
    assert_eq!(egress.breaker().hosts(None, NOW), []);
}

#[tokio::test]
async fn a_refused_connection_and_a_wrong_certificate_count_and_a_forbidden_address_does_not() {
    let raw = Raw::listen().await;
    let (url, egress, attempt) = (raw.url("/a"), after(2), Attempt::new());
    drop(raw);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CONNECTION_FAILED));
    assert_eq!(code(&attempt, &egress, &url.replace("http:", "https:")).await, Some(Code::CONNECTION_FAILED));
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN));
    let names = Names::new().with("inner.test", &[&["10.0.0.1"]]);
    let policy = Policy { limits: Limits { breaker_after: 1, ..Limits::default() }, ..Policy::new(Mode::Strict) };
    let egress = Arc::new(Egress::with_lookup(policy, Arc::new(names)));
    for _ in 0..3 {
        assert_eq!(code(&attempt, &egress, "http://inner.test/").await, Some(Code::BLOCKED_ADDRESS));
    }
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_gets_it() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(3), Attempt::new(), server.url("/a"));
    status.store(429, Ordering::SeqCst);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::RATE_LIMITED));
    status.store(200, Ordering::SeqCst);
    attempt.clock.advance_to(NOW + 6_999);
    let fault = attempt.call(&egress, "http.request", json!({"url": url})).await.unwrap_err();
    assert!(
        fault.message.contains("asked to be left alone (429 with Retry-After); nothing was sent, and the next try is in 1ms"),
        "{fault}"
    );
    attempt.clock.advance_to(NOW + 7_000);
    assert_eq!(code(&attempt, &egress, &url).await, None);
}

#[tokio::test]
async fn what_one_organization_does_holds_no_other_back() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(1), Attempt::new(), server.url("/a"));
    let mut other = Attempt::new();
    other.cx.owner.org = "00000000-0000-7000-8000-000000000007".parse::<OrgId>().unwrap();
    status.store(500, Ordering::SeqCst);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::http(500)));
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN));
    assert_eq!(code(&other, &egress, &url).await, Some(Code::http(500)));
    assert_eq!(egress.breaker().hosts(Some(other.cx.owner.org), NOW).len(), 1);
    assert_eq!(egress.breaker().hosts(None, NOW).len(), 2);
    assert!(egress.breaker().reset(other.cx.owner.org, &server.address.to_string()));
    assert_eq!(code(&other, &egress, &url).await, Some(Code::http(500)), "it may ask again");
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN), "and nobody else");
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let (server, status) = answering().await;
    let (egress, attempt, url) = (after(0), Attempt::new(), server.url("/a"));
    status.store(500, Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(code(&attempt, &egress, &url).await, Some(Code::http(500)));
    }
    assert_eq!(egress.breaker().hosts(None, NOW), []);
}

#[tokio::test]
async fn what_a_service_says_is_left_holds_others_back_before_they_run_into_its_limit() {
    let server =
        Server::start(|_| reply(200, &[("content-type", "text/plain"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "10")], "x"))
            .await;
    let (egress, attempt, url) = (after(3), Attempt::new(), server.url("/a"));
    assert_eq!(code(&attempt, &egress, &url).await, None);
    let fault: Fault = attempt.call(&egress, "http.get", json!({"url": url})).await.unwrap_err();
    assert_eq!((&fault.code, fault.effect, fault.retry_after_ms), (&Code::CIRCUIT_OPEN, Effected::Unsent, Some(10_000)));
    assert!(fault.message.contains("rate"), "{}", fault.message);
    assert_eq!(server.seen().len(), 1, "nothing was sent");
    attempt.clock.advance_to(NOW + 10_000);
    assert_eq!(code(&attempt, &egress, &url).await, None);
    assert_eq!(code(&attempt, &egress, &url).await, Some(Code::CIRCUIT_OPEN));
    assert!(egress.breaker().reset(Owner::LOCAL.org, &server.address.to_string()));
    assert_eq!(code(&attempt, &egress, &url).await, None, "somebody knows better");
}
