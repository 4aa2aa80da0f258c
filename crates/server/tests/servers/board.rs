//! A board that takes whatever is posted to it and counts, and an echo.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::server::{self, Server};

/// Takes everything: 201 and how many came so far.
pub async fn board() -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |_| server::json(201, &json!({"received": count.fetch_add(1, Ordering::SeqCst) + 1}))).await
}

/// Answers with what it was asked: `{method, path, query, headers, body}`.
pub async fn echo() -> Server {
    Server::start(|asked| server::json(200, &seen(asked))).await
}

fn seen(asked: &Asked) -> Value {
    let headers: Map<String, Value> =
        asked.headers.keys().map(|name| (name.to_string(), Value::from(asked.header(name.as_str())))).collect();
    let body = serde_json::from_slice(&asked.body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&asked.body)));
    json!({"method": asked.method.as_str(), "path": asked.path, "query": asked.query, "headers": headers, "body": body})
}
