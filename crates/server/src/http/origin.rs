//! Where a request comes from: in dev mode only from this machine and under its name; a browser's foreign page never speaks for anybody.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::problem::{Problem, Refusable};
use crate::app::Mode;

/// What a listed origin's page may read beside the headers that every page may.
const READABLE: &str = "ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id";

/// Refuses what comes from elsewhere. `peer` is unknown in tests, which hand requests over without a socket.
pub fn check(mode: &Mode, peer: Option<SocketAddr>, request: &Request) -> Refusable<()> {
    if mode.dev {
        if peer.is_some_and(|peer| !peer.ip().to_canonical().is_loopback()) {
            return Err(Problem::forbidden("the server runs in dev mode, where only this machine may call it"));
        }
        // A foreign name that resolves to this machine would let its page speak as the local owner.
        let named = [request.uri().host(), host_of(request.headers())];
        if let Some(foreign) = named.into_iter().flatten().find(|host| !is_local(mode, host)) {
            let detail = format!("this server is not \"{}\"; in dev mode it is localhost", foreign.chars().take(100).collect::<String>());
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "MISDIRECTED_REQUEST", detail));
        }
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    // Webhooks are public unless they ask for a credential, but never in dev mode, where every page on this machine could call them.
    if is_ours(mode, origin, request.headers()) || (!mode.dev && request.uri().path().starts_with("/api/webhook/")) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "FOREIGN_ORIGIN", "pages of this origin may not call; the operator can allow it"))
}

/// The answer to a browser that asks whether it may call; `None` for every other request.
pub fn preflight(mode: &Mode, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if request.method() != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let origin = headers.get(header::ORIGIN).filter(|origin| is_listed(mode, origin))?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = response.headers_mut();
    allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
    let names = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, X-Organization";
    allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allow(allowed, origin.clone());
    Some(response)
}

/// The origin to name in the answer, when the operator listed it.
pub fn listed(mode: &Mode, headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ORIGIN).filter(|origin| is_listed(mode, origin)).cloned()
}

/// Lets a listed origin's page read the answer.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

fn is_listed(mode: &Mode, origin: &HeaderValue) -> bool {
    mode.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
}

/// Listed, or the page that this server itself served. `null` is neither.
fn is_ours(mode: &Mode, origin: &HeaderValue, headers: &HeaderMap) -> bool {
    if is_listed(mode, origin) {
        return true;
    }
    let Some(origin) = origin.to_str().ok() else { return false };
    let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    matches!((place, host), (Some(place), Some(host)) if place.eq_ignore_ascii_case(host))
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    // What cannot be read as text is no name of ours.
    headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"))
}

/// Whether a `Host` names this machine's loopback. The port is not looked at: tunnels and containers change it, and a page
/// cannot choose a name by it.
fn is_local(mode: &Mode, host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').filter(|(name, _)| !name.contains(':')).map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address == mode.listen.ip())
}
