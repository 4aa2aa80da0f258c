//! Who may call, outside dev mode.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::world::{World, ask, json_request};

#[tokio::test]
async fn a_key_is_needed_and_says_who_asks() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let status = async |authorization: Option<&str>| {
        let mut request = ask(Method::GET, "/api/plans");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        if answer.status == 401 {
            assert_eq!(
                (answer.headers["www-authenticate"].to_str().unwrap(), &answer.body["code"]),
                ("Bearer realm=\"mainspring\"", &json!("UNAUTHORIZED"))
            );
        }
        answer.status.as_u16()
    };
    assert_eq!(status(Some(&format!("Bearer {key}"))).await, 200);
    assert_eq!(status(Some(&format!("bearer {key}"))).await, 200);
    let mistyped = format!("Bearer {}x", &key[..key.len() - 1]);
    let expired = format!("Bearer {}", world.key_of(owner, Some(1)).await);
    for wrong in [None, Some("Basic YTpi"), Some("Bearer"), Some("Bearer msk_x"), Some(mistyped.as_str()), Some(expired.as_str())] {
        assert_eq!(status(wrong).await, 401, "{wrong:?}");
    }
    // Public without a key.
    for path in [
        "/api/health",
        "/health/liveness",
        "/health/readiness",
        "/health/migrations",
        "/api/openapi.json",
        "/api/docs",
        "/api/schemas/plan",
    ] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn user_id_must_be_the_callers() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let get = async |user: &str| {
        let request = ask(Method::GET, &format!("/api/plans?user_id={user}")).header("authorization", format!("Bearer {key}"));
        world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!(get(&owner.user.to_string()).await, 200);
    assert_eq!(get("someone-else").await, 403);
    let post = async |user: Value| {
        let mut request =
            json_request(Method::POST, "/api/plans", &json!({"user_id": user, "name": "x", "steps": [{"action": "logic.set"}]}));
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        world.send(request).await.status.as_u16()
    };
    assert_eq!(post(json!(owner.user.to_string())).await, 201);
    assert_eq!((post(json!("someone-else")).await, post(json!(7)).await), (403, 403));
    // In dev mode it is not looked at.
    assert_eq!(World::dev().await.get("/api/plans?user_id=anybody").await.status, 200);
}

#[tokio::test]
async fn a_foreign_page_may_not_call_even_with_a_key() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let get = async |name: &'static str, value: &str| {
        let request = ask(Method::GET, "/api/plans").header("authorization", format!("Bearer {key}")).header(name, value);
        world.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((get("origin", "null").await, get("origin", "https://evil.example").await), (403, 403));
    assert_eq!(get("origin", "http://localhost:5000").await, 200);
    assert_eq!((get("x-organization", &owner.org.to_string()).await, get("x-organization", "acme").await), (200, 403));
}
