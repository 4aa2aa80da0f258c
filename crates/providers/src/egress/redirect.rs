//! One hop of a redirect: what the next request is, and what of the first may go with it.

use http::{HeaderMap, Method, StatusCode, header};
use mainspring_model::{Code, Effected, Fault};
use url::Url;

use super::org_rules::Judge;
use super::query;
use super::request::Request;
use super::target::{Place, check, origin};
use crate::sabotage::{Switch, is_on};

/// Whether this answer sends the caller elsewhere.
pub(super) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(header::LOCATION)
}

/// Turns `request` into the one that the redirect asks for. Gives whether the origin changed, so that credentials stayed behind.
///
/// Methods change as in browsers: 303 makes everything but HEAD a GET, 301 and 302 make a POST a GET; a GET has no
/// body. 307 and 308 keep both, but a body never goes to another origin: sending the request without it would do
/// something that nobody asked for, so that is a fault.
pub(super) fn follow(request: &mut Request, status: StatusCode, headers: &HeaderMap, judge: &Judge) -> Result<bool, Fault> {
    let place = Place::new(&request.method, &request.url);
    let fault = |code: Code, text: String| Fault::new(code, format!("{place} {text}")).effect(Effected::Sent);
    let location = headers.get(header::LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default();
    let next = request.url.join(location.trim());
    let mut next = next.map_err(|error| fault(Code::BAD_RESPONSE, format!("answered {status} with a Location that is no URL: {error}")))?;
    // The answer to a redirect that is refused names the target's host, never its query.
    check(&next, judge)
        .map_err(|refused| fault(Code::BLOCKED_ADDRESS, format!("redirects to an address that is not followed: {refused}")))?;

    let to_get = match status.as_u16() {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if to_get {
        request.method = Method::GET;
        request.body = None;
        request.stream = None;
        request.headers.remove(header::CONTENT_TYPE);
        request.headers.remove(header::CONTENT_ENCODING);
    }
    let moved = origin(&next) != origin(&request.url);
    if moved {
        if request.body.is_some() || request.stream.is_some() {
            let target = Place::new(&request.method, &next);
            let text = format!(
                "redirects ({status}) to another origin, where the body is not sent; write the final address into the step: {target}"
            );
            return Err(fault(Code::BAD_RESPONSE, text));
        }
        if !is_on(Switch::RedirectKeepsHeaders) {
            strip_query(&mut next, request);
            request.strip_for_other_origin();
            request.secret_query.clear();
        }
    }
    next.set_fragment(None);
    request.url = next;
    Ok(moved)
}

/// Drops what a service echoed of our secret query parameters: by name, and by value under whatever name.
fn strip_query(next: &mut Url, request: &Request) {
    let secret: Vec<String> =
        request.url.query_pairs().filter(|(name, _)| request.is_secret_query(name)).map(|(_, value)| value.into()).collect();
    query::retain(next, |name, value| !request.is_secret_query(name) && !secret.iter().any(|secret| value.contains(secret.as_str())));
}
