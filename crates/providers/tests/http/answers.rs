//! What an answer becomes.

use serde_json::json;

use crate::net::*;

#[tokio::test]
async fn the_output_follows_the_content_type() {
    for (content_type, bytes, response, expected) in [
        ("application/json", &b"{\"a\":18446744073709551615}"[..], "auto", json!({"a": 18_446_744_073_709_551_615_u64})),
        ("application/problem+json; charset=utf-8", b"\xef\xbb\xbf[1]", "auto", json!([1])),
        ("application/json", b"", "auto", json!(null)),
        ("text/csv", b"a,b\n1,2", "auto", json!("a,b\n1,2")),
        ("application/xml", b"<a/>", "auto", json!("<a/>")),
        ("application/x-ndjson", b"{}\n{}", "auto", json!("{}\n{}")),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "auto", json!("café")),
        ("text/plain; charset=\"UTF-8\"", b"caf\xc3\xa9", "auto", json!("café")),
        ("text/plain", b"bad \xff byte", "auto", json!("bad \u{fffd} byte")),
        ("image/png", &[0, 1, 255], "auto", json!({"base64": "AAH/", "media_type": "image/png", "size": 3})),
        ("", b"plain", "auto", json!("plain")),
        ("", &[0xff, 0], "auto", json!({"base64": "/wA=", "media_type": "", "size": 2})),
        ("text/html", b"{\"a\": 1}", "json", json!({"a": 1})),
        ("application/json", b"{broken", "text", json!("{broken")),
        ("application/json", b"1", "base64", json!({"base64": "MQ==", "media_type": "application/json", "size": 1})),
    ] {
        let server = Server::start(move |_| {
            let declared = [("content-type", content_type)];
            reply(200, if content_type.is_empty() { &[] } else { &declared }, bytes)
        })
        .await;
        let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/"), "response": response})).await.unwrap();
        assert_eq!(output.value, expected, "{content_type}");
    }
}

#[tokio::test]
async fn metadata_has_the_status_the_headers_and_the_final_address() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/old" => reply(301, &[("location", "/new?x=1")], ""),
        _ => reply(
            201,
            &[
                ("content-type", "application/json"),
                ("x-a", "1"),
                ("x-a", "2"),
                ("set-cookie", "c=1"),
                ("set-cookie", "d=2"),
                ("date", "now"),
            ],
            "{}",
        ),
    })
    .await;
    let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/old")})).await.unwrap();
    assert_eq!(output.message, format!("GET {}/new answered 201 Created", server.address));
    assert_eq!(
        serde_json::Value::Object(output.metadata),
        json!({
            "status_code": 201,
            "headers": {"content-type": "application/json", "x-a": "1, 2", "set-cookie": ["c=1", "d=2"], "date": "now", "content-length": "2"},
            "url": server.url("/new?x=1"),
        })
    );
}

#[tokio::test]
async fn answers_without_a_body() {
    let server = Server::start(|seen| reply(if seen.method == "HEAD" { 200 } else { 204 }, &[], "")).await;
    for (method, status) in [("HEAD", 200), ("DELETE", 204)] {
        let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/"), "method": method})).await.unwrap();
        assert_eq!((output.value, &output.metadata["status_code"]), (json!(null), &json!(status)));
    }
}
