//! A request as providers hand it to the egress.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use mainspring_model::Fault;
use url::Url;

use super::query;
use super::stream::Streamed;

/// What to send and how far to go for it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    /// Values that are secret are marked `sensitive`, as [`Request::secret_header`] does.
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// Instead of `body`.
    pub stream: Option<Streamed>,
    /// Names of query parameters that are secret.
    pub secret_query: Vec<String>,
    /// For the whole call with all redirects; the attempt's deadline when absent or later than that.
    pub timeout: Option<Duration>,
    /// Decompressed bytes of the answer; the policy's default when absent, never over its maximum.
    pub max_bytes: Option<usize>,
    /// The answer is taken piece by piece by who bounds it: `max_bytes` does not hold.
    pub into_file: bool,
    pub follow_redirects: bool,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Request {
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            stream: None,
            into_file: false,
            secret_query: Vec::new(),
            timeout: None,
            max_bytes: None,
            follow_redirects: true,
        }
    }

    /// Reads a URL as a param gave it.
    ///
    /// # Errors
    /// `INVALID_PARAMS` with the reason.
    pub fn parse_url(text: &str) -> Result<Url, Fault> {
        Url::parse(text.trim()).map_err(|error| {
            let shown: String = text.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
            let hint = match error {
                url::ParseError::RelativeUrlWithoutBase => "; write it whole, as in https://api.example.com/items",
                _ => "",
            };
            Fault::invalid_params(format!("url \"{shown}\" is not a URL: {error}{hint}"))
        })
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.insert(name, value);
        self
    }

    /// A header that only the request's own origin may see.
    ///
    /// # Errors
    /// `INVALID_PARAMS` when name or value cannot stand in a header; neither value is repeated.
    pub fn secret_header(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let name = header_name(name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Fault::invalid_params(format!("the credential's value for the header \"{name}\" holds characters that a header cannot"))
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// A query parameter that only the request's own origin may see; replaces one of that name.
    pub fn secret_query(&mut self, name: &str, value: &str) {
        query::set(&mut self.url, name, value);
        self.secret_query.push(name.to_owned());
    }

    /// Whether anything in it is marked secret.
    pub fn has_secrets(&self) -> bool {
        !self.secret_query.is_empty() || self.headers.values().any(HeaderValue::is_sensitive)
    }

    pub(super) fn is_secret_query(&self, name: &str) -> bool {
        self.secret_query.iter().any(|secret| secret == name)
    }

    /// The URL without its secret query parameters: what may be shown and kept.
    pub(super) fn shown_url(&self) -> Url {
        let mut url = self.url.clone();
        query::retain(&mut url, |name, _| !self.is_secret_query(name));
        url
    }

    /// Makes the request fit for another origin: only headers that cannot identify anybody stay. A list of names to
    /// keep, because a list of names to drop never knows the next vendor's key header.
    pub(crate) fn strip_for_other_origin(&mut self) {
        let headers = std::mem::take(&mut self.headers);
        for (name, value) in &headers {
            if KEPT.contains(&name.as_str()) && !value.is_sensitive() {
                self.headers.append(name, value.clone());
            }
        }
    }
}

const KEPT: [&str; 7] = ["accept", "accept-encoding", "accept-language", "cache-control", "range", "user-agent", "content-type"];

/// Reads a header name.
///
/// # Errors
/// `INVALID_PARAMS` for text that is no header name, and for headers that belong to the connection, not to the plan.
pub fn header_name(text: &str) -> Result<HeaderName, Fault> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Fault::invalid_params(format!("headers: {:?} is no header name", text.chars().take(60).collect::<String>())))?;
    let reserved = ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"];
    if reserved.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        return Err(Fault::invalid_params(format!("headers: \"{name}\" is set by Mainspring itself; leave it out")));
    }
    Ok(name)
}

/// Reads a header value.
///
/// # Errors
/// `INVALID_PARAMS`; the value is not repeated.
pub fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Fault::invalid_params(format!("headers: the value of \"{name}\" holds a line break or another control character")))
}
