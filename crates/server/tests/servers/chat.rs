//! A server with OpenAI's protocol: chat completions whole and as a stream of server-sent events, and its errors.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};

use super::asked::Asked;
use super::server::{self, Reply, Server, in_pieces};

/// The server. It knows one key and one model family, and always says the same.
pub struct Chat {
    pub server: Server,
    refusals: Arc<Mutex<VecDeque<Refusal>>>,
}

/// What a request may meet instead of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// 429 with `Retry-After` in seconds.
    Busy { retry_after: u32 },
    /// 429 that no waiting helps: the account is empty.
    Quota,
    /// 503 without a word of when to come back.
    Overloaded,
    /// The stream breaks off with an error after some of the text.
    Midway,
}

const MODEL: &str = "gpt-4o-mini";
/// Which version answered: never quite the name that was asked for.
const VERSION: &str = "gpt-4o-mini-2024-07-18";
const CREATED: i64 = 1_761_989_400;

impl Chat {
    pub async fn start(key: &'static str, text: &'static str) -> Chat {
        let refusals = Arc::new(Mutex::new(VecDeque::new()));
        let server = Server::start({
            let refusals = refusals.clone();
            move |asked| {
                let refusal = refusals.lock().expect("no panic happens while the refusals are held").pop_front();
                answer(asked, key, text, refusal)
            }
        })
        .await;
        Chat { server, refusals }
    }

    /// What `base_url` in a credential is.
    pub fn base_url(&self) -> String {
        self.server.url("/v1")
    }

    /// The next requests meet these, one each.
    pub fn refuse(&self, next: impl IntoIterator<Item = Refusal>) {
        self.refusals.lock().expect("no panic happens while the refusals are held").extend(next);
    }
}

fn answer(asked: &Asked, key: &str, text: &str, refusal: Option<Refusal>) -> Reply {
    if asked.line() != "POST /v1/chat/completions" {
        return error(404, &[], "invalid_request_error", Value::Null, &format!("Invalid URL ({} {})", asked.method, asked.path));
    }
    match asked.header("authorization").strip_prefix("Bearer ") {
        None => return error(401, &[], "invalid_request_error", Value::Null, "You didn't provide an API key."),
        Some(given) if given != key => {
            return error(401, &[], "invalid_request_error", json!("invalid_api_key"), &format!("Incorrect API key provided: {given}."));
        }
        Some(_) => {}
    }
    let Ok(Value::Object(request)) = serde_json::from_slice(&asked.body) else {
        return error(400, &[], "invalid_request_error", Value::Null, "We could not parse the JSON body of your request.");
    };
    match refusal {
        Some(Refusal::Busy { retry_after }) => {
            let (seconds, milliseconds) = (retry_after.to_string(), (retry_after * 1_000).to_string());
            let headers =
                [("retry-after", seconds.as_str()), ("retry-after-ms", milliseconds.as_str()), ("x-ratelimit-remaining-requests", "0")];
            return error(
                429,
                &headers,
                "requests",
                json!("rate_limit_exceeded"),
                &format!("Rate limit reached for {MODEL}. Please try again in {retry_after}s."),
            );
        }
        Some(Refusal::Quota) => {
            return error(429, &[], "insufficient_quota", json!("insufficient_quota"), "You exceeded your current quota.");
        }
        Some(Refusal::Overloaded) => return error(503, &[], "server_error", Value::Null, "The engine is currently overloaded."),
        Some(Refusal::Midway) | None => {}
    }
    if request.get("model").and_then(Value::as_str) != Some(MODEL) {
        return error(
            404,
            &[],
            "invalid_request_error",
            json!("model_not_found"),
            &format!("The model {} does not exist.", request.get("model").unwrap_or(&Value::Null)),
        );
    }
    let Some(messages) = request.get("messages").and_then(Value::as_array).filter(|messages| !messages.is_empty()) else {
        return error(400, &[], "invalid_request_error", Value::Null, "Missing required parameter: 'messages'.");
    };
    let usage = usage(messages, text);
    match request.get("stream") == Some(&Value::Bool(true)) {
        true => {
            let counted = request.get("stream_options").is_some_and(|options| options["include_usage"] == true);
            stream(text, counted.then_some(usage), matches!(refusal, Some(Refusal::Midway)))
        }
        false => server::json(200, &whole(text, &usage)),
    }
}

fn error(status: u16, headers: &[(&str, &str)], kind: &str, code: Value, message: &str) -> Reply {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    let headers: Vec<(&str, &str)> = [("content-type", "application/json; charset=utf-8"), ("x-request-id", "req_0")]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    server::reply(status, &headers, body.to_string())
}

/// A token for each word of what was sent and of the answer.
fn usage(messages: &[Value], text: &str) -> Value {
    let words = |text: &str| text.split_whitespace().count();
    let asked: usize = messages.iter().map(|message| words(message["content"].as_str().unwrap_or_default()) + 4).sum();
    json!({
        "prompt_tokens": asked, "completion_tokens": words(text), "total_tokens": asked + words(text),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}

fn whole(text: &str, usage: &Value) -> Value {
    json!({
        "id": "chatcmpl-0", "object": "chat.completion", "created": CREATED, "model": VERSION,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": usage, "service_tier": "default", "system_fingerprint": "fp_0",
    })
}

/// The chunks as the real server sends them, over a wire that cuts them anywhere: inside events, lines and characters.
fn stream(text: &str, usage: Option<Value>, breaks: bool) -> Reply {
    let counted = usage.is_some();
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": "chatcmpl-0", "object": "chat.completion.chunk", "created": CREATED, "model": VERSION,
            "service_tier": "default", "system_fingerprint": "fp_0", "choices": choices,
        });
        if counted {
            chunk["usage"] = usage;
        }
        event(&chunk)
    };
    let choice = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
    let mut wire = chunk(choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null), Value::Null);
    let tokens = tokens(text);
    for (place, token) in tokens.iter().enumerate() {
        if breaks && place == tokens.len() / 2 {
            wire += &event(
                &json!({"error": {"message": "The server had an error while processing your request.", "type": "server_error", "param": null, "code": null}}),
            );
            return cut(&wire);
        }
        wire += &chunk(choice(json!({"content": token}), Value::Null), Value::Null);
    }
    wire += &chunk(choice(json!({}), json!("stop")), Value::Null);
    if let Some(usage) = usage {
        wire += &chunk(json!([]), usage);
    }
    cut(&(wire + "data: [DONE]\n\n"))
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// Pieces of one to five characters, as tokens are: not words.
fn tokens(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    for size in [3, 1, 5, 2, 4].into_iter().cycle() {
        if at >= characters.len() {
            break;
        }
        let end = characters.len().min(at + size);
        tokens.push(characters[at..end].iter().collect());
        at = end;
    }
    tokens
}

fn cut(wire: &str) -> Reply {
    let wire = Bytes::copy_from_slice(wire.as_bytes());
    let (mut pieces, mut at) = (Vec::new(), 0);
    for size in [1, 2, 97, 3, 401, 5, 1_009, 7].into_iter().cycle() {
        if at >= wire.len() {
            break;
        }
        let end = wire.len().min(at + size);
        pieces.push(wire.slice(at..end));
        at = end;
    }
    in_pieces(
        200,
        &[("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), ("x-request-id", "req_0")],
        pieces,
    )
}
