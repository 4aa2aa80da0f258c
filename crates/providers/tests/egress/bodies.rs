//! Answers that are too large, packed to explode, damaged, or not what they say.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use mainspring_model::{Class, Code, Effected};
use serde_json::json;

use crate::net::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let server = Server::start(|seen| {
        let body = br#"{"packed": true}"#;
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(body).unwrap();
        let json = ("content-type", "application/json");
        match seen.path.as_str() {
            "/gzip" => reply(200, &[json, ("content-encoding", "gzip")], gzip(body)),
            "/deflate" => reply(200, &[json, ("content-encoding", "deflate")], zlib.finish().unwrap()),
            _ => reply(200, &[json, ("content-encoding", "br")], "?"),
        }
    })
    .await;
    for path in ["/gzip", "/deflate"] {
        let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url(path)})).await.unwrap();
        assert_eq!(output.value, json!({"packed": true}));
    }
    assert_eq!(server.seen()[0].header("accept-encoding"), "gzip, deflate");
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/br")})).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.message),
        (
            Code::BAD_RESPONSE,
            format!(
                "GET {}/br answered in the content coding \"br\", which was not asked for; leave Accept-Encoding to Mainspring",
                server.address
            )
        )
    );
}

#[tokio::test]
async fn a_bomb_of_a_thousand_to_one() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() * 1_000 < 66 << 20);
    let server =
        Server::start(move |_| reply(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], bomb.clone())).await;
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/a")})).await.unwrap_err();
    assert_eq!(fault.message, format!("GET {}/a: the answer is larger than 10 MiB; ask for less, or raise max_bytes", server.address));
    assert_eq!((fault.code, fault.class, fault.retryable, fault.effect), (Code::PAYLOAD_TOO_LARGE, Class::Limit, false, Effected::Sent));
}

#[tokio::test]
async fn an_answer_over_the_cap() {
    let server = Server::start(|_| reply(200, &[("content-type", "text/plain")], "x".repeat(2_000))).await;
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/a"), "max_bytes": 1024})).await.unwrap_err();
    assert_eq!(fault.message, format!("GET {}/a: the answer is larger than 1 KiB; ask for less, or raise max_bytes", server.address));
    assert_eq!(fault.code, Code::PAYLOAD_TOO_LARGE);
    let output = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/a"), "max_bytes": 2000})).await.unwrap();
    assert_eq!(output.value.as_str().unwrap().len(), 2_000);
}

#[tokio::test]
async fn no_param_raises_the_cap_over_the_operators() {
    let server = Server::start(|_| reply(200, &[("content-type", "text/plain")], vec![b'x'; (16 << 20) + 1])).await;
    let fault =
        Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/a"), "max_bytes": 1_000_000_000})).await.unwrap_err();
    assert_eq!(fault.message, format!("GET {}/a: the answer is larger than 16 MiB; ask for less, or raise max_bytes", server.address));
}

#[tokio::test]
async fn invalid_json_from_a_service() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/cut" => reply(200, &[("content-type", "application/json")], r#"{"a": [1, 2"#),
        "/deep" => reply(200, &[("content-type", "application/json")], "[".repeat(100_000)),
        "/wide" => reply(200, &[("content-type", "application/json")], format!("[{}0]", "0,".repeat(2_100_000))),
        _ => reply(200, &[("content-type", "text/html")], "<p>hello"),
    })
    .await;
    let at = server.address;
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/cut")})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!(
            "GET {at}/cut answered what it calls application/json and is not JSON: EOF while parsing a list at line 1 column 11; to take it as it is, set response: text"
        )
    );
    assert_eq!((fault.code, fault.class, fault.retryable, fault.effect), (Code::BAD_RESPONSE, Class::Transient, false, Effected::Sent));
    assert_eq!(fault.details, Some(json!({"status": 200, "body": r#"{"a": [1, 2"#})));

    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/html"), "response": "json"})).await.unwrap_err();
    assert_eq!(
        fault.message,
        format!("GET {at}/html answered what is not JSON: expected value at line 1 column 1; to take it as it is, set response: text")
    );
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/deep")})).await.unwrap_err();
    assert_eq!(fault.code, Code::BAD_RESPONSE);
    assert!(fault.message.contains("recursion limit exceeded"), "{}", fault.message);
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/wide")})).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.message),
        (Code::PAYLOAD_TOO_LARGE, format!("GET {at}/wide answered JSON of more than 2000000 values; ask for less, or take it as text"))
    );
}

#[tokio::test]
async fn a_damaged_packing() {
    let mut packed = gzip(b"some text that is long enough to be cut");
    packed.truncate(packed.len() - 12);
    let server = Server::start(move |_| reply(200, &[("content-encoding", "gzip")], packed.clone())).await;
    let fault = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/a")})).await.unwrap_err();
    assert_eq!((fault.code, fault.effect), (Code::BAD_RESPONSE, Effected::Sent));
    assert!(fault.message.starts_with(&format!("GET {}/a: the answer's compression is damaged (", server.address)), "{}", fault.message);
}
