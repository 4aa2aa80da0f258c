//! Redirects: how far, with which method, and what never goes along to another origin.

use std::sync::Arc;

use http::Method;
use mainspring_model::{Code, Effected};
use mainspring_providers::egress::{Egress, Mode, Policy};
use serde_json::{Value, json};

use crate::net::*;

const SECRETS: [(&str, &str); 5] = [
    ("token", "bearer-secret"),
    ("header_name", "X-Vendor-Auth"),
    ("header_value", "header-secret"),
    ("query_name", "sig"),
    ("query_value", "query-secret"),
];

fn params(url: &str, method: &str) -> Value {
    let mut params = json!({"url": url, "method": method, "headers": {
        "Cookie": "session=cookie-secret", "X-Api-Key": "written-secret", "My-Own": "other-secret", "Accept-Language": "de", "Proxy-Connection": "",
    }});
    params["headers"].as_object_mut().unwrap().remove("Proxy-Connection");
    if method != "GET" && method != "DELETE" {
        params["body"] = json!({"password": "body-secret"});
    }
    params
}

/// Answers `/<status>` with a redirect of this status to `target`, and anything else with what it got.
async fn redirecting(target: String) -> Server {
    Server::start(move |seen| match seen.path.trim_start_matches('/').parse::<u16>() {
        Ok(status) => reply(status, &[("location", &target)], ""),
        Err(_) => json(&json!({"method": seen.method.as_str(), "body": seen.text()})),
    })
    .await
}

#[tokio::test]
async fn nothing_secret_follows_to_another_origin() {
    let second = Server::start(|seen| json(&json!({"method": seen.method.as_str(), "body": seen.text()}))).await;
    let mut followed = 0;
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            // A service that sends our query back, under its name and under another.
            let target = format!("http://localhost:{}/landed?sig=query-secret&back=query-secret&page=2", second.address.port());
            let first = redirecting(target).await;
            let result = Attempt::with(&SECRETS).call(&dev(), "http.request", params(&first.url(&format!("/{status}")), method)).await;
            let becomes_get = status == 303 || (status < 303 && method == "POST");
            match result {
                Ok(output) => {
                    followed += 1;
                    let expected = if becomes_get { "GET" } else { method };
                    assert_eq!(output.value, json!({"method": expected, "body": ""}), "{status} {method}");
                    assert_eq!(output.metadata["url"], json!(format!("http://localhost:{}/landed?page=2", second.address.port())));
                }
                Err(fault) => {
                    assert!(!becomes_get && ["POST", "PUT"].contains(&method), "{status} {method}: {fault}");
                    assert_eq!((fault.code, fault.effect), (Code::BAD_RESPONSE, Effected::Sent));
                    assert!(
                        fault.message.contains("to another origin, where the body is not sent; write the final address into the step"),
                        "{}",
                        fault.message
                    );
                }
            }
            assert_eq!(first.only().header("authorization"), "Bearer bearer-secret");
        }
    }
    let seen = second.seen();
    assert_eq!(seen.len(), followed);
    for seen in seen {
        assert!(!format!("{seen:?}").contains("secret"), "{seen:?}");
        assert_eq!((seen.query.as_str(), seen.header("accept-language")), ("page=2", "de"));
    }
}

#[tokio::test]
async fn another_port_or_scheme_is_another_origin() {
    let second = Server::start(|_| reply(401, &[], "")).await;
    let first = redirecting(second.url("/")).await;
    let fault = Attempt::with(&SECRETS).call(&dev(), "http.request", params(&first.url("/302"), "GET")).await.unwrap_err();
    assert!(
        fault.message.ends_with("a redirect led to another origin, where credentials are not sent: write the final address into the step"),
        "{fault}"
    );
    assert_eq!(second.only().header("authorization"), "");
}

#[tokio::test]
async fn the_same_origin_keeps_what_was_sent() {
    for (status, method, expected) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (308, "PUT", "PUT"),
        (302, "GET", "GET"),
        (303, "DELETE", "GET"),
    ] {
        let server = redirecting("/landed".to_owned()).await;
        let output =
            Attempt::with(&SECRETS).call(&dev(), "http.request", params(&server.url(&format!("/{status}")), method)).await.unwrap();
        let body = if expected == "GET" { "" } else { r#"{"password":"body-secret"}"# };
        assert_eq!(output.value, json!({"method": expected, "body": body}), "{status} {method}");
        let landed = server.seen().pop().unwrap();
        assert_eq!(
            (landed.header("authorization"), landed.header("x-vendor-auth"), landed.header("x-api-key")),
            ("Bearer bearer-secret", "header-secret", "written-secret")
        );
        assert_eq!(landed.header("content-type").is_empty(), expected == "GET");
    }
}

#[tokio::test]
async fn head_stays_head() {
    let server = redirecting("/landed".to_owned()).await;
    Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/303"), "method": "head"})).await.unwrap();
    assert_eq!(server.seen().iter().map(|seen| seen.method.clone()).collect::<Vec<_>>(), [Method::HEAD, Method::HEAD]);
}

#[tokio::test]
async fn five_hops_and_no_more() {
    let server = Server::start(|seen| {
        let left: u32 = seen.path.trim_start_matches('/').parse().unwrap();
        if left == 0 { json(&json!("end")) } else { reply(302, &[("location", &format!("/{}", left - 1))], "") }
    })
    .await;
    let ask = |path| json!({"url": server.url(path)});
    assert_eq!(Attempt::new().call(&dev(), "http.request", ask("/5")).await.unwrap().value, json!("end"));
    let fault = Attempt::new().call(&dev(), "http.request", ask("/6")).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.message),
        (Code::BAD_RESPONSE, format!("GET {}/1 redirects again after 5 redirects; write the final address into the step", server.address))
    );
}

#[tokio::test]
async fn a_redirect_may_be_the_answer() {
    let server = redirecting("http://10.0.0.1/".to_owned()).await;
    let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/302"), "follow_redirects": false})).await.unwrap();
    assert_eq!((&output.metadata["status_code"], &output.metadata["headers"]["location"]), (&json!(302), &json!("http://10.0.0.1/")));
}

#[tokio::test]
async fn a_redirect_to_a_private_address() {
    let server = redirecting("http://10.0.0.1:8080/admin?token=x".to_owned()).await;
    let fault = Attempt::with(&SECRETS).call(&dev(), "http.request", json!({"url": server.url("/302")})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!(
            "GET {}/302 redirects to an address that is not followed: 10.0.0.1 is a private address, which plans may not reach; if it is meant, the operator adds \"10.0.0.1\" to the egress allow list (--egress allow-list)",
            server.address
        )
    );
    assert_eq!((fault.code, fault.retryable, fault.effect), (Code::BLOCKED_ADDRESS, false, Effected::Sent));
}

#[tokio::test]
async fn a_redirect_to_a_name_that_means_a_private_address() {
    let server = redirecting("http://inner.test/admin".to_owned()).await;
    let names = Names::new().with("inner.test", &[&["10.0.0.1"]]);
    let egress = Arc::new(Egress::with_lookup(Policy::new(Mode::Dev), Arc::new(names)));
    let fault = Attempt::with(&SECRETS).call(&egress, "http.request", json!({"url": server.url("/302")})).await.unwrap_err();
    assert_eq!((fault.code, fault.effect), (Code::BLOCKED_ADDRESS, Effected::Sent));
    assert!(fault.message.starts_with("GET inner.test/admin: inner.test stands for 10.0.0.1, a private address"), "{}", fault.message);
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/set" => reply(302, &[("location", "/next"), ("set-cookie", "a=1"), ("set-cookie", "b=2")], ""),
        _ => json(&json!(seen.header("cookie"))),
    })
    .await;
    let egress = dev();
    for path in ["/set", "/next"] {
        assert_eq!(Attempt::new().call(&egress, "http.request", json!({"url": server.url(path)})).await.unwrap().value, json!(""));
    }
}
