//! An answer in the making: status, a few headers and JSON bytes, so that it can be sent and also remembered.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// A good answer. Its bytes are known, which an idempotency key needs.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON, or nothing.
    pub body: Bytes,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Reply {
    pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
        // Our own types and JSON values always serialise: keys are text and no writer can fail.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Reply { status, headers: Vec::new(), body: body.into() }
    }

    pub fn ok(body: &impl Serialize) -> Reply {
        Reply::json(StatusCode::OK, body)
    }

    pub fn no_content() -> Reply {
        Reply { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: Bytes::new() }
    }

    /// A header whose value is made by us; one that cannot be sent is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    #[must_use]
    pub fn location(self, path: &str) -> Reply {
        self.header(header::LOCATION, path)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let empty = self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !empty {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}
