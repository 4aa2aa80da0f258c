//! Files over HTTP: whole or not at all, in parts, with names and types that lie, beyond the quota, and of nobody else.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use mainspring_engine::FileTerms;
use mainspring_model::file::FILE_CHUNK;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::{Answer, World, ask};

impl World {
    async fn put_file(&self, query: &str, media_type: &str, body: Body) -> Answer {
        let request = ask(Method::POST, &format!("/api/files{query}")).header("content-type", media_type);
        self.send(request.body(body).unwrap()).await
    }

    async fn content(&self, id: &str, headers: &[(&str, &str)]) -> (StatusCode, http::HeaderMap, Bytes) {
        let mut request = ask(Method::GET, &format!("/api/files/{id}/content"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.into_body().collect().await.unwrap().to_bytes())
    }
}

fn id_of(answer: &Answer) -> String {
    answer.body["file"]["file"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

/// Bytes that differ everywhere, in pieces of an odd size.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn pieces(all: &[u8], size: usize) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> = all.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn bytes_go_in_and_come_out_whole_and_in_part() {
    let world = World::dev().await;
    let all = bytes(3 * FILE_CHUNK + 17);
    let put = world.put_file("?name=a%20b.csv&expires_in=1h", "text/csv; charset=utf-8", pieces(&all, 10_007)).await;
    assert_eq!(put.status, 201, "{}", put.text);
    let (id, file) = (id_of(&put), &put.body["file"]);
    assert_eq!(put.headers["location"], format!("/api/files/{id}"));
    assert_eq!((&file["name"], &file["media_type"], &file["size"]), (&json!("a b.csv"), &json!("text/csv"), &json!(all.len())));
    assert!(file["expires_at"].is_string() && file["run_id"].is_null());
    assert_eq!(world.get(&format!("/api/files/{id}")).await.body["file"], *file);
    let (status, headers, body) = world.content(&id, &[]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, all.len()));
    assert!(body == all);
    assert_eq!(headers["etag"], format!("\"{}\"", file["sha256"].as_str().unwrap()));
    assert_eq!(headers["content-length"], all.len().to_string());
    assert_eq!(headers["content-disposition"], "attachment; filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv");
    assert_eq!((&headers["x-content-type-options"], &headers["content-type"]), (&"nosniff".parse().unwrap(), &"text/csv".parse().unwrap()));
    let edge = FILE_CHUNK - 2;
    let (status, headers, body) = world.content(&id, &[("range", &format!("bytes={edge}-{}", edge + 4))]).await;
    assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &all[edge..edge + 5]));
    assert_eq!(headers["content-range"], format!("bytes {edge}-{}/{}", edge + 4, all.len()));
    let (status, _, body) = world.content(&id, &[("range", "bytes=-20")]).await;
    assert_eq!((status, &body[..]), (StatusCode::PARTIAL_CONTENT, &all[all.len() - 20..]));
    let (status, headers, _) = world.content(&id, &[("range", "bytes=99999999-")]).await;
    assert_eq!(
        (status, &headers["content-range"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &format!("bytes */{}", all.len()).parse().unwrap())
    );
    let etag = headers.get("etag").cloned();
    assert_eq!(etag, None, "a refusal has none");
    let known = format!("\"{}\"", file["sha256"].as_str().unwrap());
    let (status, _, body) = world.content(&id, &[("if-none-match", &known)]).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, ..) = world.content(&id, &[("if-range", "\"older\""), ("range", "bytes=0-1")]).await;
    assert_eq!(status, StatusCode::OK, "of another version no part");
    assert_eq!(world.send(ask(Method::DELETE, &format!("/api/files/{id}")).body(Body::empty()).unwrap()).await.status, 204);
    assert_eq!(world.content(&id, &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/api/files").await.body["used"]["bytes"], 0);
}

#[tokio::test]
async fn a_form_keeps_all_of_its_files_or_none() {
    let world = World::dev().await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
        --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../etc/passwd\"\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --x\r\nContent-Disposition: form-data; name=\"g\"; filename=\"b.json\"\r\n\r\n{}\r\n--x--\r\n";
    let kind = "multipart/form-data; boundary=x";
    let put = world.put_file("", kind, pieces(form.as_bytes(), 9)).await;
    let files: Vec<_> =
        put.body["files"].as_array().unwrap().iter().map(|file| json!([file["name"], file["media_type"], file["size"]])).collect();
    assert_eq!(files, [json!(["passwd", "text/plain", 3]), json!(["b.json", "application/json", 2])]);
    let cut = world.put_file("", kind, Body::from(form[..form.len() - 9].to_owned())).await;
    assert_eq!((cut.status, &cut.body["code"]), (StatusCode::BAD_REQUEST, &json!("INVALID_REQUEST")), "{}", cut.text);
    let none = world.put_file("", kind, Body::from("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--")).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get("/api/files").await.body["used"]["files"], 2, "of the refused ones nothing stays");
    let without = world.put_file("", "multipart/form-data", Body::from("x")).await;
    assert_eq!((without.status, &without.body["code"]), (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!("UNSUPPORTED_MEDIA_TYPE")));
    let accident = world.put_file("", "application/x-www-form-urlencoded", Body::from("a=b")).await;
    assert_eq!(accident.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn names_and_types_that_deceive_come_out_harmless() {
    let world = World::dev().await;
    let long = format!("?name={}", "x".repeat(1_000));
    for (query, expected) in [
        ("?name=..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("?name=a%00b%0D%0Ac.txt", "abc.txt"),
        ("?name=photo%E2%80%AEgpj.exe", "photogpj.exe"),
        ("", "file"),
        (&long, &"x".repeat(255)),
    ] {
        let put = world.put_file(query, "application/octet-stream", Body::from("x")).await;
        assert_eq!(put.body["file"]["name"], expected, "{query}");
        let (_, headers, _) = world.content(&id_of(&put), &[]).await;
        assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; "));
    }
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"] {
        let put = world.put_file("?name=a.html", kind, Body::from("<script>alert(1)</script>")).await;
        assert_eq!(put.body["file"]["media_type"], kind);
        let (_, headers, _) = world.content(&id_of(&put), &[]).await;
        assert_eq!(
            (&headers["content-type"], &headers["x-content-type-options"]),
            (&"application/octet-stream".parse().unwrap(), &"nosniff".parse().unwrap())
        );
        assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
    }
}

fn tight(most: u64, quota: u64) -> Settings {
    Settings { dev: true, files: FileTerms { most, quota, ..FileTerms::default() }, ..World::settings() }
}

#[tokio::test]
async fn nobody_passes_the_limit_or_the_quota() {
    let world = World::with(tight(1_000, 2_500)).await;
    let refused = |answer: &Answer, code: &str| {
        assert_eq!((answer.status, &answer.body["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!(code)), "{}", answer.text);
    };
    refused(&world.put_file("", "text/plain", pieces(&bytes(1_001), 100)).await, "FILE_TOO_LARGE");
    refused(&world.put_file("", "text/plain", Body::from(bytes(3 << 20))).await, "FILE_TOO_LARGE");
    let all = (0..8).map(|_| world.put_file("", "text/plain", pieces(&bytes(900), 90)));
    let mut kept = 0;
    for answer in futures_util::future::join_all(all).await {
        match answer.status {
            StatusCode::CREATED => kept += 1,
            _ => refused(&answer, "FILE_QUOTA"),
        }
    }
    assert!((1..=2).contains(&kept), "{kept} of 900 bytes");
    let listed = world.get("/api/files").await.body;
    assert_eq!(listed["used"], json!({"files": kept, "bytes": kept * 900, "quota_bytes": 2_500, "most_bytes": 1_000}));
    for file in listed["files"].as_array().unwrap() {
        let path = format!("/api/files/{}", file["file"].as_str().unwrap());
        world.send(ask(Method::DELETE, &path).body(Body::empty()).unwrap()).await;
    }
    assert_eq!(world.put_file("", "text/plain", Body::from(bytes(900))).await.status, 201, "there is room again");
}

#[tokio::test]
async fn what_breaks_off_is_no_file() {
    let world = World::dev().await;
    let broken = stream::iter([Ok(Bytes::from(bytes(2 * FILE_CHUNK))), Err(std::io::Error::other("gone"))]);
    let put = world.put_file("", "text/plain", Body::from_stream(broken)).await;
    assert_eq!(put.status, StatusCode::BAD_REQUEST, "{}", put.text);
    let listed = world.get("/api/files").await.body;
    assert_eq!((&listed["files"], &listed["used"]["bytes"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn files_are_listed_in_pages() {
    let world = World::dev().await;
    for n in 0..5 {
        world.put_file(&format!("?name={n}.txt"), "text/plain", Body::from(n.to_string())).await;
    }
    let (mut seen, mut cursor): (Vec<Value>, _) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/api/files?limit=2&cursor={cursor}")).await.body;
        seen.extend(page["files"].as_array().unwrap().iter().map(|file| file["name"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]);
}
