//! The session cookie of browsers, and that only our own pages make it speak.
//!
//! Against forged requests of other pages: `SameSite=Lax`, and a write with the cookie (or a WebSocket) has to say by `Origin`, or by
//! `Sec-Fetch-Site`, that it comes from a page that this server served. Every browser of today sends one of them with each write, and
//! no page can forge either. A token that pages would have to carry (double submit) adds a step for them and nothing to that.

use axum::extract::Request;
use http::{HeaderMap, Method, StatusCode, header};
use mainspring_vault::Token;

use super::api::Api;
use super::problem::{Problem, Refusable};
use crate::app::App;
use crate::identity::terms::SESSION;

const NAME: &str = "mainspring_session";
/// Behind https: browsers take a cookie of this name only from https, for this host alone and for every path.
const HOST_NAME: &str = "__Host-mainspring_session";

/// Of the session cookie, when there is one that can be right.
pub fn session(headers: &HeaderMap) -> Option<Token> {
    [HOST_NAME, NAME].into_iter().find_map(|name| value(headers, name)).and_then(|value| Token::parse(Token::COOKIE, value).ok())
}

/// A cookie's value.
pub fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// `Set-Cookie` of a session that begins.
pub fn begin(app: &App, token: &Token) -> String {
    set(app, NAME, HOST_NAME, token.expose(), SESSION.as_secs())
}

/// `Set-Cookie` of a session that ends.
pub fn end(app: &App) -> String {
    set(app, NAME, HOST_NAME, "", 0)
}

/// `Set-Cookie`; `host_name` is its name behind https.
pub fn set(app: &App, name: &str, host_name: &str, value: &str, max_age: u64) -> String {
    let secure = is_https(app);
    let (name, secure) = if secure { (host_name, "; Secure") } else { (name, "") };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
}

/// People reach this server by https.
pub fn is_https(app: &App) -> bool {
    app.identity.terms.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
}

/// Refuses what a foreign page made a browser do: a write, or a WebSocket, by the cookie alone.
pub fn own_page(api: &Api, request: &Request, socket: bool) -> Refusable<()> {
    let headers = request.headers();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) && !socket;
    if reads || api.mode.dev || headers.contains_key(header::AUTHORIZATION) || session(headers).is_none() || is_from_own_page(headers) {
        return Ok(());
    }
    // A browser cannot name its key in a header of a WebSocket; then it does not speak by the cookie.
    if socket && super::socket::identity(headers).contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    let detail = "with a session cookie only pages of this server may write: the request has no Origin of this server";
    Err(Problem::new(StatusCode::FORBIDDEN, "FOREIGN_ORIGIN", detail))
}

/// Whether a page that this server served sent it.
pub fn is_from_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::ORIGIN) {
        Some(origin) => {
            let place = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            matches!((place, text(header::HOST)), (Some(place), Some(host)) if place.eq_ignore_ascii_case(host))
        }
        None => text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
    }
}
