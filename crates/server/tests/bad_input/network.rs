//! Services that cannot be reached, may not be reached, or answer badly: the step fails with what happened and what to do.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::running::Running;
use super::services::{Service, Silent, Then, answer};
use super::texts::same;
use super::tls::{self, Signed};
use crate::cli::program::Place;

fn call(url: &str) -> Value {
    json!({"id": "call", "action": "http.get", "params": {"url": url}, "retry": {"max_attempts": 1}})
}

/// Trusts one authority that signed nothing, whatever this machine trusts.
async fn running() -> Running {
    let place = Place::new();
    place.write("stranger.pem", &tls::stranger());
    let mut command = place.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    command.env("SSL_CERT_FILE", place.path("stranger.pem"));
    Running::of(place, command).await
}

/// The resolver's own words depend on the machine.
fn without_reason(said: &str) -> String {
    match (said.find(" ("), said.find("); ")) {
        (Some(open), Some(close)) => format!("{} (…{}", &said[..open], &said[close..]),
        _ => said.to_owned(),
    }
}

#[tokio::test]
async fn who_cannot_be_reached() {
    let mut server = running().await;
    let silent = Silent::reserve();
    let plain = Service::answering(answer("200 OK", &[], b"hello")).await;
    let (leaf, authority) = (tls::service(Signed::Leaf), tls::service(Signed::Authority));
    let mut said = Vec::new();
    for (what, url, expected) in [
        (
            "a host that does not resolve",
            "http://nowhere.invalid/x".to_owned(),
            "call CONNECTION_FAILED: GET nowhere.invalid/x: the host name \"nowhere.invalid\" was not found (…); check its spelling, or this machine's DNS"
                .to_owned(),
        ),
        (
            "a refused connection",
            format!("http://{}/x", silent.address),
            format!(
                "call CONNECTION_FAILED: GET {}/x: the connection was refused; check host and port, and that the service is running",
                silent.address
            ),
        ),
        (
            "a self-signed certificate",
            format!("https://{leaf}/x"),
            format!(
                "call TLS_FAILED: GET {leaf}/x: the service's certificate is not accepted: it is signed by nobody this machine trusts (is it self-signed?); get one from an authority, or add its own to this machine's"
            ),
        ),
        (
            "a certificate that is its own authority",
            format!("https://{authority}/x"),
            format!(
                "call TLS_FAILED: GET {authority}/x: the service's certificate is not accepted: it is not one that a service may show (CaUsedAsEndEntity; is it self-signed?); get one from an authority"
            ),
        ),
        (
            "an address of a private network",
            "http://10.0.0.1/x".to_owned(),
            "call BLOCKED_ADDRESS: GET 10.0.0.1/x: 10.0.0.1 is a private address, which plans may not reach; if it is meant, the operator adds \"10.0.0.1\" to the egress allow list (--egress allow-list)"
                .to_owned(),
        ),
        (
            "this server itself",
            format!("http://{}/api/plans", server.address),
            format!(
                "call BLOCKED_ADDRESS: GET {}/api/plans: 127.0.0.1 is this Mainspring server itself, which plans do not call; use logic.call to start another plan",
                server.address
            ),
        ),
        (
            "https where http is spoken",
            plain.url().replace("http://", "https://"),
            format!(
                "call TIMEOUT: GET {}/x: no connection within 300 ms; check host, port and firewall",
                plain.address
            ),
        ),
    ] {
        let mut step = call(&url);
        if what.starts_with("https where") {
            // The service waits for a request's end, and the caller for the service's half of the handshake.
            step["params"]["timeout"] = json!("300ms");
        }
        let failure = server.failure(vec![step]).await;
        let failure = if what.contains("resolve") { without_reason(&failure) } else { failure };
        said.push((what.to_owned(), failure, expected));
    }
    same(&said);
    server.whole().await;
}

#[tokio::test]
async fn who_answers_badly() {
    let mut server = running().await;
    let json = ("content-type", "application/json");
    let mut bomb = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..100 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 200_000, "a small answer that unpacks to 100 MiB: {}", bomb.len());
    let to = |location: &str| answer("302 Found", &[("location", location)], b"");
    let cases = [
        (
            "a slow body",
            Service::start(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.".to_vec()], Then::Hold).await,
            "TIMEOUT: GET {}/x: the answer was not complete within 500 ms, 10 bytes had come; give the step a longer timeout, or ask for less",
        ),
        (
            "no answer",
            Service::start(vec![Vec::new()], Then::Hold).await,
            "TIMEOUT: GET {}/x: no answer within 500 ms; whether the service acted on the request is unknown",
        ),
        (
            "a gzip bomb",
            Service::answering(answer("200 OK", &[json, ("content-encoding", "gzip")], &bomb)).await,
            "PAYLOAD_TOO_LARGE: GET {}/x: the answer is larger than 10 MiB; ask for less, or raise max_bytes",
        ),
        (
            "a redirect to a private address",
            Service::answering(to("http://192.168.1.1/admin")).await,
            "BLOCKED_ADDRESS: GET {}/x redirects to an address that is not followed: 192.168.1.1 is a private address, which plans may not reach; if it is meant, the operator adds \"192.168.1.1\" to the egress allow list (--egress allow-list)",
        ),
        (
            "a redirect to the cloud's metadata",
            Service::answering(to("http://169.254.169.254/latest/meta-data")).await,
            "BLOCKED_ADDRESS: GET {}/x redirects to an address that is not followed: 169.254.169.254 is a cloud metadata address, which plans may not reach; if it is meant, the operator adds \"169.254.169.254\" to the egress allow list (--egress allow-list)",
        ),
        (
            "invalid JSON",
            Service::answering(answer("200 OK", &[json], b"{\"a\": 1,}")).await,
            "BAD_RESPONSE: GET {}/x answered what it calls application/json and is not JSON: trailing comma at line 1 column 9; to take it as it is, set response: text",
        ),
        (
            "a page in place of JSON",
            Service::answering(answer("200 OK", &[json], b"<html>busy</html>")).await,
            "BAD_RESPONSE: GET {}/x answered what it calls application/json and is not JSON: expected value at line 1 column 1; to take it as it is, set response: text",
        ),
        (
            "an error of the service",
            Service::answering(answer("500 Internal Server Error", &[], b"oops")).await,
            "HTTP_500: GET {}/x answered 500 Internal Server Error; the service itself failed",
        ),
        (
            "an error that names a wait",
            Service::answering(answer("503 Service Unavailable", &[("retry-after", "3600")], b"")).await,
            "HTTP_503: GET {}/x answered 503 Service Unavailable; the service asks for a wait of 1h first",
        ),
        (
            "an answer that is not HTTP",
            Service::answering("220 mail.test ESMTP\r\n").await,
            "BAD_RESPONSE: GET {}/x: the answer is not HTTP (invalid HTTP version parsed); check scheme and port",
        ),
    ];
    let mut said = Vec::new();
    for (what, service, expected) in &cases {
        let mut step = call(&service.url());
        if expected.starts_with("TIMEOUT") {
            step["params"]["timeout"] = json!("500ms");
        }
        let expected = format!("call {}", expected.replace("{}", &service.address.to_string()));
        said.push(((*what).to_owned(), server.failure(vec![step]).await, expected));
    }
    same(&said);
    server.whole().await;
}

#[tokio::test]
async fn a_server_error_is_tried_again_and_its_wait_is_kept() {
    let mut server = running().await;
    let busy = |headers: &[(&str, &str)]| answer("503 Service Unavailable", headers, b"");
    let good = || answer("200 OK", &[("content-type", "application/json")], b"{\"done\": true}");
    let plan = |service: &Service, retry: Value| json!({"name": "Again", "steps": [{"id": "call", "action": "http.get", "params": {"url": service.url()}, "retry": retry}]});

    // Without a wait: the step's own delay, and then the answer.
    let service = Service::start(vec![busy(&[]), good()], Then::Close).await;
    let id = server.save(&plan(&service, json!({"delay": "50ms"}))).await;
    let executed = server.execute(&id, json!({})).await;
    let run = server.run(&executed).await;
    assert_eq!((executed.status, &run["status"], &run["output"]), (200, &json!("success"), &json!({"done": true})), "{run}");
    let attempts = run["steps"][0]["attempts"].as_array().unwrap();
    let said: Vec<(&Value, &Value)> = attempts.iter().map(|attempt| (&attempt["status"], &attempt["error"]["code"])).collect();
    assert_eq!(said, [(&json!("retrying"), &json!("HTTP_503")), (&json!("success"), &Value::Null)]);
    let message = format!("GET {}/x answered 503 Service Unavailable; the service itself failed", service.address);
    assert_eq!(attempts[0]["error"]["message"], message);

    // With one: nothing is asked before it is over, and the caller is not held that long.
    let service = Service::start(vec![busy(&[("retry-after", "3600")]), good()], Then::Close).await;
    let id = server.save(&plan(&service, json!({"delay": "50ms"}))).await;
    let executed = server.execute(&id, json!({})).await;
    let run = server.run(&executed).await;
    assert_eq!((executed.status, &run["status"], &run["steps"][0]["status"]), (202, &json!("waiting"), &json!("waiting")), "{run}");
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let wait = moment(&run["steps"][0]["until"]) - moment(&run["created_at"]);
    assert!((3_600..3_900).contains(&wait), "waits {wait} s");
    let message = format!("GET {}/x answered 503 Service Unavailable; the service asks for a wait of 1h first", service.address);
    assert_eq!(run["steps"][0]["attempts"][0]["error"]["message"], message);
    server.whole().await;
}
