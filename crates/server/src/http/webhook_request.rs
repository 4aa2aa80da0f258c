//! What a webhook's caller sent, as the root `trigger` that expressions see.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Uri, header};
use serde_json::{Map, Value, json};

use super::body;
use super::problem::Refusable;

/// A call, read once for all plans on its path.
pub struct Called {
    method: String,
    path: String,
    headers: Map<String, Value>,
    query: Map<String, Value>,
    body: Value,
}

/// The part of the address after `/api/webhook/`, without slashes around it.
pub fn path_of(uri: &Uri) -> String {
    let path = uri.path().strip_prefix("/api/webhook/").unwrap_or_default().trim_matches('/');
    if path.contains('%') { decoded(path) } else { path.to_owned() }
}

/// Percent-decoded. Webhook paths are plain letters, so what is no UTF-8 matches none of them.
fn decoded(path: &str) -> String {
    // `+` is itself in a path and a space in a form.
    let form = format!("p={}", path.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

impl Called {
    /// `secret_headers`: names (lower case) whose values proved the caller and are not to be kept.
    pub fn read(parts: &Parts, path: String, content: &Bytes, secret_headers: &[String]) -> Refusable<Called> {
        Ok(Called::with(parts, path, secret_headers, body_of(&parts.headers, content)?))
    }

    /// A call whose body cannot be read by its type: the body as text.
    pub fn unread(parts: &Parts, path: String, content: &Bytes, secret_headers: &[String]) -> Called {
        Called::with(parts, path, secret_headers, Value::String(String::from_utf8_lossy(content).into_owned()))
    }

    pub fn with(parts: &Parts, path: String, secret_headers: &[String], body: Value) -> Called {
        Called {
            method: parts.method.as_str().to_owned(),
            path,
            headers: headers_of(&parts.headers, secret_headers),
            query: parts.uri.query().map(|query| pairs(query.as_bytes())).unwrap_or_default(),
            body,
        }
    }

    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The trigger root for one of several triggers.
    pub fn seen_by(&self, trigger: &str) -> Value {
        let Called { method, path, headers, query, body } = self;
        Called { method: method.clone(), path: path.clone(), headers: headers.clone(), query: query.clone(), body: body.clone() }
            .into_seen(trigger)
    }

    /// What the run sees of the answer to an address that it opened.
    pub fn into_answer(self) -> Value {
        json!({"method": self.method, "headers": self.headers, "query": self.query, "body": self.body})
    }

    /// The trigger root for the only one.
    pub fn into_seen(self, trigger: &str) -> Value {
        let mut seen = Map::with_capacity(7);
        seen.insert("id".to_owned(), Value::String(trigger.to_owned()));
        seen.insert("type".to_owned(), Value::String("webhook".to_owned()));
        seen.insert("method".to_owned(), Value::String(self.method));
        seen.insert("headers".to_owned(), Value::Object(self.headers));
        seen.insert("query".to_owned(), Value::Object(self.query));
        seen.insert("body".to_owned(), self.body);
        seen.insert("path".to_owned(), Value::String(self.path));
        Value::Object(seen)
    }
}

/// Header names in lower case; several values of one name are joined, as HTTP says. What proves an identity is not kept.
fn headers_of(headers: &HeaderMap, secret: &[String]) -> Map<String, Value> {
    let mut seen = Map::with_capacity(headers.keys_len());
    for (name, value) in headers {
        if *name == header::AUTHORIZATION
            || *name == header::COOKIE
            || *name == header::PROXY_AUTHORIZATION
            || secret.iter().any(|secret| secret == name.as_str())
        {
            continue;
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        match seen.get_mut(name.as_str()) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(&text);
            }
            _ => drop(seen.insert(name.as_str().to_owned(), Value::String(text.into_owned()))),
        }
    }
    seen
}

/// Name → value; a name that comes several times has a list.
fn pairs(text: &[u8]) -> Map<String, Value> {
    let mut pairs = Map::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        let value = Value::String(value.into_owned());
        match pairs.get_mut(&*name) {
            None => drop(pairs.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => {
                let values = vec![std::mem::take(first), value];
                *first = Value::Array(values);
            }
        }
    }
    pairs
}

/// By content type: JSON, a form, else text, else bytes.
fn body_of(headers: &HeaderMap, content: &Bytes) -> Refusable<Value> {
    if content.is_empty() {
        return Ok(Value::Null);
    }
    let media_type = body::media_type(headers).map(str::to_ascii_lowercase).unwrap_or_default();
    if media_type == "application/json" || media_type.ends_with("+json") {
        return body::parse(content);
    }
    if media_type == "application/x-www-form-urlencoded" {
        return Ok(Value::Object(pairs(content)));
    }
    Ok(match std::str::from_utf8(content) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => {
            let media_type = if media_type.is_empty() { Cow::Borrowed("application/octet-stream") } else { Cow::Owned(media_type) };
            json!({"base64": STANDARD.encode(content), "media_type": media_type, "size": content.len()})
        }
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn called(content_type: &str, content: &'static [u8]) -> Value {
        let mut request = Request::post("/api/webhook/orders%2Fnew?a=1&b=2&a=3").body(()).expect("a request");
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_str(content_type).expect("a header"));
        headers.insert("authorization", HeaderValue::from_static("Bearer x"));
        headers.insert("x-secret", HeaderValue::from_static("s"));
        headers.append("x-many", HeaderValue::from_static("1"));
        headers.append("x-many", HeaderValue::from_static("2"));
        let (parts, ()) = request.into_parts();
        let path = path_of(&parts.uri);
        Called::read(&parts, path, &Bytes::from_static(content), &["x-secret".to_owned()]).expect("readable").into_seen("hook")
    }

    #[test]
    fn a_call_becomes_the_trigger() {
        let expected = json!({
            "id": "hook", "type": "webhook", "method": "POST", "headers": {"content-type": "application/json", "x-many": "1, 2"},
            "query": {"a": ["1", "3"], "b": "2"}, "body": {"n": 1}, "path": "orders/new",
        });
        assert_eq!(called("application/json", br#"{"n":1}"#), expected);
    }

    #[test]
    fn bodies_are_read_by_their_type() {
        assert_eq!(called("application/vnd.x+json; charset=utf-8", b"[1]")["body"], json!([1]));
        assert_eq!(called("application/x-www-form-urlencoded", b"a=1&b=x+y")["body"], json!({"a": "1", "b": "x y"}));
        assert_eq!(called("text/plain", b"hello")["body"], json!("hello"));
        assert_eq!(called("image/png", b"\xff\x00")["body"], json!({"base64": "/wA=", "media_type": "image/png", "size": 2}));
        assert_eq!(called("application/json", b"")["body"], Value::Null);
    }
}
