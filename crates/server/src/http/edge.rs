//! The one way in and out of every request: who may come in, how large, and what each answer carries.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower::Service;
use tracing::Instrument;

use super::api::Api;
use super::problem::{Problem, Refusable};
use super::{audit, body, limit, origin, request_id};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Answers one request. Plain calls instead of layers: each layer would box a future per request.
pub async fn answer(api: &Arc<Api>, routes: Router, peer: Option<SocketAddr>, request: Request) -> Response {
    let request_id = request_id::of(request.headers()).unwrap_or_else(|| api.engine.new_id().to_string());
    // At the level of errors, so that no filter of the log takes the ids away from a line that it lets pass.
    let span = tracing::error_span!("request", request_id, org_id = tracing::field::Empty);
    let path = request.uri().path();
    // Probes ask every second and begin nothing.
    let Some(tracer) = api.tracer.get().filter(|_| !path.starts_with("/health") && path != "/metrics") else {
        return answer_known(api, routes, peer, request, request_id).instrument(span).await;
    };
    let asked = tracer.asked(request.headers().get("traceparent").and_then(|said| said.to_str().ok()));
    let (method, began_us, id) = (request.method().clone(), api.clock.monotonic_us(), request_id.clone());
    let response = Box::pin(asked.clone().holds(answer_known(api, routes, peer, request, request_id).instrument(span))).await;
    tracer.answered(&asked, &method, response.status(), &id, api.clock.monotonic_us().saturating_sub(began_us));
    response
}

async fn answer_known(api: &Arc<Api>, mut routes: Router, peer: Option<SocketAddr>, mut request: Request, request_id: String) -> Response {
    let (method, began_us) = (request.method().clone(), api.clock.monotonic_us());
    let listed = origin::listed(&api.mode, request.headers());
    // Only a problem tells its path, but by then the request is gone.
    let path = request.uri().clone();
    tracing::debug!(method = %request.method(), path = told(path.path()), "request");
    let came_from = audit::Origin::of(api, &request_id, peer, request.headers());
    request.extensions_mut().insert(came_from);
    let standing = match api.limits.as_ref().filter(|limits| limits.concerns(request.uri().path())) {
        // Its own allocation: without limits no request pays for the room.
        Some(limits) => Box::pin(limit::count(api, limits, peer, &request)).await,
        None => None,
    };
    let mut response = match limit::admit(standing).and_then(|()| admit(api, peer, &request)) {
        Err(problem) => {
            // Who asked before sending hears no, and does not send.
            if problem.status == StatusCode::PAYLOAD_TOO_LARGE && !request.headers().contains_key(header::EXPECT) {
                body::discard(api, request.into_body());
            }
            problem.into_response()
        }
        Ok(()) => match origin::preflight(&api.mode, &request) {
            Some(response) => response,
            None => match AssertUnwindSafe(routes.call(request)).catch_unwind().await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                // The panic's own text went to the log by the panic hook.
                Err(_) => Problem::internal("a handler panicked").into_response(),
            },
        },
    };
    let problem = response.extensions_mut().remove::<Box<Problem>>().or_else(|| bare(&response));
    if let Some(problem) = problem {
        response = write_out(&problem, response, path.path(), &request_id);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    if let Some(standing) = standing {
        limit::tell(headers, standing);
    }
    if let Some(origin) = listed {
        origin::allow(headers, origin);
    }
    let seconds = api.clock.monotonic_us().saturating_sub(began_us) as f64 / 1e6;
    api.metrics.answered(&method, response.status().as_u16(), seconds);
    response
}

fn admit(api: &Api, peer: Option<SocketAddr>, request: &Request) -> Refusable<()> {
    origin::check(&api.mode, peer, request)?;
    body::unpacked(request.headers())?;
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // Files are streams, with a limit of their own.
    let path = request.uri().path();
    let takes_files = path == "/api/files" || path.starts_with("/api/forms/") || path.starts_with("/api/approval-links/");
    let is_file = request.method() == Method::POST && takes_files;
    if !is_file && declared.is_some_and(|length| length > api.mode.max_body as u64) {
        return Err(body::too_large(api.mode.max_body));
    }
    Ok(())
}

/// The router's own refusals have a status and nothing to read.
fn bare(response: &Response) -> Option<Box<Problem>> {
    (response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(header::CONTENT_TYPE)).then(|| {
        let allowed = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok()).unwrap_or_default();
        method_not_allowed(allowed)
    })
}

pub fn method_not_allowed(allowed: &str) -> Box<Problem> {
    let detail = format!("this address does not take that method; it takes {}", allowed.replace(',', ", "));
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail);
    match HeaderValue::from_str(allowed) {
        Ok(allowed) => problem.header(header::ALLOW, allowed),
        Err(_) => problem,
    }
}

/// A path as the log may know it: who has the rest of such an address can answer for somebody.
fn told(path: &str) -> &str {
    let secret = ["/api/approval-links/", "/api/callbacks/", "/api/invitations/", "/api/webhook/test:"];
    secret.into_iter().find(|known| path.starts_with(known)).unwrap_or(path)
}

fn write_out(problem: &Problem, mut response: Response, path: &str, request_id: &str) -> Response {
    if problem.status.is_server_error() {
        let cause = problem.cause.as_deref().unwrap_or(&problem.detail);
        tracing::error!(path = told(path), code = %problem.code, cause, "a request failed");
    }
    let body = serde_json::to_vec(&problem.body(path, request_id)).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, PROBLEM);
    for (name, value) in &problem.headers {
        headers.insert(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::wire;

    async fn break_down() -> Response {
        panic!("a secret of the handler")
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_not_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings { data: folder.path().to_owned(), dev: true, ..Settings::default() };
        let (api, _) = super::super::build(wire::open(&settings, true).await.expect("the parts join"));
        let routes = Router::new().route("/api/boom", get(break_down));
        let request = Request::get("/api/boom").body(Body::empty()).expect("a request");
        let response = answer(&api, routes, None, request).await;
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (500, &PROBLEM));
        let body: Value = serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON");
        assert_eq!((&body["code"], body.to_string().contains("secret")), (&json!("INTERNAL"), false));
    }
}
