//! Chat completion against a server that speaks the real protocol.

mod faults;
mod streams;
mod whole;

use mainspring_model::Fault;
use mainspring_model::action::Output;
use serde_json::{Value, json};

use crate::net::*;

/// Calls `chat_completion` with a credential for this base address.
pub async fn chat(provider: &str, base_url: &str, params: Value) -> Result<Output, Fault> {
    let attempt = Attempt::with(&[("api_key", "sk-secret"), ("base_url", base_url)]);
    attempt.call(&dev(), &format!("{provider}.chat_completion"), params).await
}

/// One event as servers write it.
pub fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

pub fn delta(text: &str) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}], "usage": null})
}
