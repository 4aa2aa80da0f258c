//! Spellings of addresses and methods that have opened doors elsewhere: none is let in where the plain one is not.

use axum::body::Body;
use http::{Method, Request};
use mainspring_model::role::Role;

use super::operation::{Operation, operations};
use super::tenant::Tenant;
use super::{As, World};

/// The same place in another spelling, as routers and filters disagree about it.
fn spellings(path: &str) -> Vec<String> {
    let rest = path.trim_start_matches("/api/");
    vec![
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("//api//{rest}"),
        path.to_uppercase(),
        format!("/Api/{rest}"),
        path.replacen("/api/", "/api%2f", 1),
        path.replacen("/api/", "/api%2F", 1),
        path.replace('/', "%2f").replacen("%2f", "/", 1),
        path.replacen("/api/", "/%61pi/", 1),
        path.replacen("/api/", "/api/./", 1),
        path.replacen("/api/", "/api/../api/", 1),
        path.replacen("/api/", "/api/%2e%2e/api/", 1),
        path.replacen("/api/", "/health/liveness/../../api/", 1),
        path.replacen("/api/", "/api/health/../", 1),
        path.replacen("/api/", "/api/health;/../", 1),
        path.replacen("/api/", "/api\\", 1),
        path.replacen("/api/", "/api/%5c", 1),
        format!("{path}/health/liveness"),
        format!("{path}/api/health"),
        format!("{path};.css"),
        format!("{path}.json"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}?/health/liveness"),
        format!("{path}#/health/liveness"),
        format!("{path}?auth=none&authorization=Bearer%20x&access_token=x&api_key=x"),
        format!("{path}?_method=GET"),
    ]
}

/// Headers by which proxies and frameworks let another method, address or caller in.
const HEADERS: &[(&str, &str)] = &[
    ("x-http-method-override", "GET"),
    ("x-http-method-override", "DELETE"),
    ("x-http-method", "GET"),
    ("x-method-override", "GET"),
    ("x-original-url", "/health/liveness"),
    ("x-rewrite-url", "/health/liveness"),
    ("x-forwarded-uri", "/health/liveness"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-real-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1"),
    ("x-user-id", "00000000-0000-7000-8000-000000000001"),
    ("x-forwarded-user", "admin"),
    ("x-remote-user", "admin"),
    ("remote-user", "admin"),
    ("x-api-key", "admin"),
    ("authorization", ""),
    ("authorization", "Bearer"),
    ("authorization", "Bearer null"),
    ("authorization", "Bearer undefined"),
    ("authorization", "Basic YWRtaW46YWRtaW4="),
    ("cookie", "session=admin"),
];

/// `None` when no client could send it.
fn nobody(operation: &Operation, tenant: &Tenant, path: &str) -> Option<Request<Body>> {
    path.parse::<http::Uri>().ok()?;
    Some(operation.request_at(tenant, None, |_| path.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_lets_a_stranger_in() {
    let world = World::keyed().await;
    let document = world.get("/api/openapi.json").await.body;
    let tenant = Tenant::make(&world).await;
    let (mut calls, mut wrong) = (0, Vec::new());
    for operation in operations(&document).iter().filter(|operation| !operation.public) {
        let plain = operation.address(&tenant);
        for path in spellings(&plain) {
            let Some(request) = nobody(operation, &tenant, &path) else { continue };
            let status = world.status(request).await;
            calls += 1;
            // Not there, not a method of it, not understood, or not let in.
            if ![400, 401, 404, 405].contains(&status.as_u16()) {
                wrong.push(format!("{} {path}: {status}", operation.method));
            }
        }
        for (name, value) in HEADERS {
            let Some(mut request) = nobody(operation, &tenant, &plain) else { continue };
            request.headers_mut().insert(*name, value.parse().expect("a header"));
            let status = world.status(request).await;
            calls += 1;
            if status != 401 {
                wrong.push(format!("{} {plain} with {name}: {value}: {status}", operation.method));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "of {calls} calls");
    assert!(calls >= 2_000, "only {calls} calls");
    println!("{calls} calls, 0 let in");
}

#[tokio::test]
async fn no_header_makes_a_look_a_deed() {
    let world = World::keyed().await;
    let tenant = Tenant::make(&world).await;
    let document = world.get("/api/openapi.json").await.body;
    for operation in operations(&document).iter().filter(|operation| operation.method == Method::GET && !operation.public) {
        let path = operation.address(&tenant);
        for (name, value) in HEADERS.iter().filter(|(name, _)| name.contains("method") || name.contains("url") || name.contains("uri")) {
            let mut request = operation.request_at(&tenant, tenant.key_of(As::Member(Role::Viewer)), str::to_owned);
            let plain = world.status(operation.request_at(&tenant, tenant.key_of(As::Member(Role::Viewer)), str::to_owned)).await;
            request.headers_mut().insert(*name, value.parse().expect("a header"));
            assert_eq!(world.status(request).await, plain, "{path} with {name}: {value}");
        }
    }
    // It all is still there.
    let owner = tenant.key_of(As::Member(Role::Owner));
    for operation in
        operations(&document).iter().filter(|operation| ["get_plan", "get_run", "get_integration"].contains(&operation.id.as_str()))
    {
        assert_eq!(world.status(operation.request(&tenant, owner.clone())).await, 200, "{}", operation.id);
    }
}
