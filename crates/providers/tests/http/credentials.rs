//! What a credential adds, and where it is not sent.

use mainspring_model::{Class, Code};
use serde_json::json;

use crate::net::*;

#[tokio::test]
async fn each_kind_by_its_fields() {
    for (fields, name, value, query) in [
        (&[("token", "t1")][..], "authorization", "Bearer t1", "a=1"),
        (&[("username", "ada"), ("password", "p:w")], "authorization", "Basic YWRhOnA6dw==", "a=1"),
        (&[("username", "key"), ("password", "")], "authorization", "Basic a2V5Og==", "a=1"),
        (&[("header_name", "X-API-Key"), ("header_value", "k1")], "x-api-key", "k1", "a=1"),
        (&[("query_name", "api_key"), ("query_value", "k 2")], "authorization", "", "a=1&api_key=k+2"),
    ] {
        let server = Server::start(|_| json(&json!(1))).await;
        let output = Attempt::with(fields).call(&dev(), "http.request", json!({"url": server.url("/?a=1")})).await.unwrap();
        let seen = server.only();
        assert_eq!((seen.header(name), seen.query.as_str()), (value, query));
        assert_eq!(output.metadata["url"], json!(server.url("/?a=1")), "a key in the query is not kept");
    }
}

#[tokio::test]
async fn half_a_pair_is_missing_the_other() {
    let fault = Attempt::with(&[("header_name", "X-API-Key")])
        .call(&dev(), "http.request", json!({"url": "http://127.0.0.1:1/"}))
        .await
        .unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::MISSING_CREDENTIALS, "the credential \"main\" has no header_value"));
    let fault = Attempt::with(&[("token", "a\nb")]).call(&dev(), "http.request", json!({"url": "http://127.0.0.1:1/"})).await.unwrap_err();
    assert_eq!(fault.message, "the credential's value for the header \"authorization\" holds characters that a header cannot");
}

#[tokio::test]
async fn a_credential_goes_only_to_its_hosts() {
    let server = Server::start(|_| json(&json!(1))).await;
    let port = server.address.port().to_string();
    for (hosts, allowed) in [
        ("127.0.0.1".to_owned(), true),
        (format!("api.test, 127.0.0.1:{port}"), true),
        ("127.0.0.1:1".to_owned(), false),
        ("api.test".to_owned(), false),
        ("*.0.0.1".to_owned(), true),
        ("*.7.0.0.1".to_owned(), false),
    ] {
        let result =
            Attempt::with(&[("token", "secret"), ("hosts", &hosts)]).call(&dev(), "http.request", json!({"url": server.url("/")})).await;
        match result {
            Ok(_) => assert!(allowed, "{hosts}"),
            Err(fault) => {
                assert!(!allowed, "{hosts}: {fault}");
                assert_eq!((fault.code, fault.class), (Code::BLOCKED_ADDRESS, Class::Auth));
                assert_eq!(
                    fault.message,
                    format!(
                        "the credential \"main\" is not sent to 127.0.0.1: it is for {hosts}; add the host to the credential's hosts if it is meant"
                    )
                );
            }
        }
    }
    assert_eq!(server.seen().len(), 3);
}
