//! A finished completion, and its reading from an answer that came as one object.

use mainspring_model::{Code, Fault};
use serde_json::{Value, json};

use crate::egress::Answer;
use crate::http::output::read;
use crate::http::params::ResponseType;

#[derive(Default)]
pub(super) struct Completion {
    pub text: String,
    pub model: Option<String>,
    pub finish_reason: Option<String>,
    pub usage: Option<Value>,
    pub tool_calls: Vec<Value>,
}

/// Reads a completion that came whole.
pub(super) async fn whole(answer: &mut Answer) -> Result<Completion, Fault> {
    let body = read(answer, ResponseType::Json).await?;
    let Some(choice) = body.pointer("/choices/0") else {
        // Some servers report a failure with status 200.
        if let Some(message) = body.pointer("/error/message").and_then(Value::as_str) {
            return Err(answer.fault(Code::PROVIDER_ERROR, format!("answered an error: {message}")));
        }
        let text = "answered JSON that is no chat completion: it has no choices; check the credential's base_url";
        return Err(answer.fault(Code::BAD_RESPONSE, text).details(json!({"body": mainspring_model::value::preview(&body, 2_000)})));
    };
    let message = &choice["message"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Completion {
        text: content(&message["content"]).or_else(|| text(&message["refusal"])).unwrap_or_default(),
        model: text(&body["model"]),
        finish_reason: text(&choice["finish_reason"]),
        usage: usage(&body),
        tool_calls: message["tool_calls"].as_array().cloned().unwrap_or_default(),
    })
}

/// Text content, also where a server sends it in parts.
pub(super) fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part["text"].as_str()).collect()),
        _ => None,
    }
}

/// Token usage, where OpenAI puts it or where Groq does in a stream.
pub(super) fn usage(body: &Value) -> Option<Value> {
    [&body["usage"], &body["x_groq"]["usage"]].into_iter().find(|usage| usage.is_object()).cloned()
}
