//! Pagination: every way to find the next page, and where it ends.

use mainspring_model::Code;
use serde_json::{Value, json};

use crate::net::*;

/// Three pages of two items, linked in every way at once.
async fn pages() -> Server {
    Server::start(|seen| {
        let query: std::collections::HashMap<_, _> = url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let page = number("page").or(number("after")).unwrap_or(number("offset").map_or(1, |offset| offset / 2 + 1));
        let items: Vec<usize> = if page <= 3 { vec![page * 10, page * 10 + 1] } else { Vec::new() };
        let next = (page < 3).then(|| format!("/items?size=2&page={}", page + 1));
        let mut response = json(&json!({"data": {"items": items}, "next": next, "cursor": (page < 3).then_some(page + 1)}));
        if let Some(next) = next {
            let link = format!("<{}>; rel=\"first\", <{next}>; title=\"a, b\"; rel=\"other next\"", "/items?page=1");
            response.headers_mut().insert("link", link.parse().unwrap());
        }
        response
    })
    .await
}

#[tokio::test]
async fn every_way_collects_all_items() {
    for paging in [
        json!({"next": "link"}),
        json!({"next": "next"}),
        json!({"next": "body.next"}),
        json!({"next": "cursor", "cursor": "after"}),
        json!({"page": "page"}),
        json!({"page": "offset", "start": 0, "step": 2}),
    ] {
        let server = pages().await;
        let mut paging = paging.clone();
        paging["items"] = json!("data.items");
        let params = json!({"url": server.url("/items?size=2"), "pagination": paging});
        let output = Attempt::with(&[("query_name", "key"), ("query_value", "k1"), ("token", "t1")])
            .call(&dev(), "http.request", params)
            .await
            .unwrap();
        assert_eq!(output.value, json!([10, 11, 20, 21, 30, 31]), "{paging}");
        assert_eq!(output.metadata["more"], json!(false));
        for seen in server.seen() {
            assert!(seen.query.contains("key=k1") && seen.query.contains("size=2"), "{}", seen.query);
            assert_eq!(seen.header("authorization"), "Bearer t1");
        }
    }
}

#[tokio::test]
async fn max_pages_ends_it_and_says_so() {
    let server = pages().await;
    let params = json!({"url": server.url("/items"), "pagination": {"next": "link", "items": "data.items", "max_pages": 2}});
    let output = Attempt::new().call(&dev(), "http.request", params).await.unwrap();
    assert_eq!((output.value, &output.metadata["pages"], &output.metadata["more"]), (json!([10, 11, 20, 21]), &json!(2), &json!(true)));
    assert_eq!(output.message, "4 items from 2 pages");
}

async fn failing(paging: Value, page: Value, fields: &[(&str, &str)]) -> mainspring_model::Fault {
    let server = Server::start(move |_| json(&page)).await;
    Attempt::with(fields).call(&dev(), "http.request", json!({"url": server.url("/items"), "pagination": paging})).await.unwrap_err()
}

#[tokio::test]
async fn pages_that_lead_nowhere() {
    let fault = failing(json!({"next": "next", "items": "items"}), json!({"next": "/items", "items": []}), &[]).await;
    assert_eq!(fault.code, Code::BAD_RESPONSE);
    assert!(fault.message.ends_with("names the same page as its next; check pagination"), "{fault}");

    let fault =
        failing(json!({"next": "next", "items": "items"}), json!({"next": "http://other.test/", "items": []}), &[("token", "t")]).await;
    assert!(
        fault.message.ends_with("names a next page at another origin (http://other.test), where the credential and the body are not sent"),
        "{fault}"
    );

    let fault = failing(json!({"next": "next"}), json!({"next": null, "items": []}), &[]).await;
    assert!(
        fault.message.ends_with("answered a page where the body is object, not a list; set pagination.items to the list's path"),
        "{fault}"
    );

    let fault = failing(json!({"next": "next", "items": "items"}), json!({"next": 7, "items": []}), &[]).await;
    assert!(
        fault.message.ends_with(
            "answered number where pagination.next expects an address; if it is a cursor, name its parameter in pagination.cursor"
        ),
        "{fault}"
    );
}

#[tokio::test]
async fn the_next_page_is_judged_like_any_address() {
    let fault = failing(json!({"next": "next", "items": "items"}), json!({"next": "http://169.254.169.254/", "items": []}), &[]).await;
    assert_eq!(fault.code, Code::BLOCKED_ADDRESS);
}

#[tokio::test]
async fn all_pages_together_obey_the_cap() {
    let server = pages().await;
    let params = json!({"url": server.url("/items"), "max_bytes": 150, "pagination": {"page": "page", "items": "data.items"}});
    let fault = Attempt::new().call(&dev(), "http.request", params).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (Code::PAYLOAD_TOO_LARGE, "page 3: all pages together are larger than 150 bytes; ask for less, or raise max_bytes")
    );
}

#[tokio::test]
async fn paging_params_that_make_no_sense() {
    for (paging, message) in [
        (json!({}), "pagination: write either next (with cursor, if what stands there is no address) or page"),
        (json!({"next": "link", "page": "p"}), "pagination: write either next (with cursor, if what stands there is no address) or page"),
        (json!({"page": "p", "step": 0}), "pagination: step must not be 0"),
        (json!({"page": "p", "max_pages": 1001}), "pagination: max_pages must be 1 to 1,000"),
    ] {
        let fault = failing(paging, json!([]), &[]).await;
        assert_eq!((fault.code, fault.message.as_str()), (Code::INVALID_PARAMS, message));
    }
}
