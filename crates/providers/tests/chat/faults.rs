//! What a chat service refuses, told so that its user knows what to do.

use mainspring_model::{Class, Code, Effected};
use serde_json::json;

use super::chat;
use crate::net::*;

#[tokio::test]
async fn errors_by_status() {
    for (status, error, code, class, retryable, end) in [
        (
            401,
            json!({"message": "Incorrect API key provided", "code": "invalid_api_key"}),
            "HTTP_401",
            Class::Auth,
            false,
            "answered 401 Unauthorized: Incorrect API key provided; check the step's credential; the api_key of the credential \"main\" is not accepted by OpenAI; store a valid one",
        ),
        (
            404,
            json!({"message": "The model `nope` does not exist"}),
            "HTTP_404",
            Class::Input,
            false,
            "answered 404 Not Found: The model `nope` does not exist; check the address; the model \"nope\" or the base_url may be wrong",
        ),
        (
            429,
            json!({"message": "Rate limit reached"}),
            "RATE_LIMITED",
            Class::Limit,
            true,
            "answered 429 Too Many Requests: Rate limit reached; the service asks for a wait of 250ms first",
        ),
        (
            429,
            json!({"message": "You exceeded your current quota", "code": "insufficient_quota"}),
            "RATE_LIMITED",
            Class::Limit,
            false,
            "answered 429 Too Many Requests: You exceeded your current quota; the service asks for a wait of 250ms first; the account's quota is used up; check its plan and billing",
        ),
        (
            400,
            json!({"message": "too long", "code": "context_length_exceeded"}),
            "HTTP_400",
            Class::Input,
            false,
            "answered 400 Bad Request: too long; check the step's params; the conversation is too long for \"nope\"",
        ),
        (
            500,
            json!({"message": "The server had an error"}),
            "HTTP_500",
            Class::Transient,
            true,
            "answered 500 Internal Server Error: The server had an error; the service asks for a wait of 250ms first",
        ),
        (
            503,
            json!(null),
            "HTTP_503",
            Class::Transient,
            true,
            "answered 503 Service Unavailable; the service asks for a wait of 250ms first",
        ),
    ] {
        let server = Server::start(move |_| {
            reply(status, &[("content-type", "application/json"), ("retry-after-ms", "250")], json!({"error": error}).to_string())
        })
        .await;
        let fault = chat("openai", &server.url("/v1"), json!({"prompt": "x", "model": "nope"})).await.unwrap_err();
        assert_eq!(fault.message, format!("POST {}/v1/chat/completions {end}", server.address));
        assert_eq!((fault.code.as_str(), fault.class, fault.retryable, fault.effect), (code, class, retryable, Effected::Sent));
        assert_eq!(fault.retry_after_ms, Some(250));
        assert!(!serde_json::to_string(&fault).unwrap().contains("sk-secret"));
    }
}

#[tokio::test]
async fn no_key() {
    let fault = Attempt::with(&[("base_url", "http://127.0.0.1:1")])
        .call(&dev(), "groq.chat_completion", json!({"prompt": "x"}))
        .await
        .unwrap_err();
    assert_eq!((fault.code, fault.class, fault.effect), (Code::MISSING_CREDENTIALS, Class::Auth, Effected::Unsent));
    assert_eq!(fault.message, "groq: there is no API key; store a credential for groq with its api_key");
    let fault = Attempt::new().call(&dev(), "openai.chat_completion", json!({"prompt": "x"})).await.unwrap_err();
    assert_eq!(fault.code, Code::MISSING_CREDENTIALS);
}

#[tokio::test]
async fn params_and_credentials_that_cannot_be_used() {
    for (params, message) in [
        (json!({}), "prompt or messages is needed; prompt is nothing"),
        (json!({"prompt": "  "}), "prompt or messages is needed; prompt is empty"),
        (json!({"prompt": null, "system": "s"}), "prompt or messages is needed; prompt is nothing"),
        (json!({"messages": ["hi"]}), "messages[0] is no message {role, content}: hi"),
        (
            json!({"prompt": "x", "temprature": 1}),
            "chat_completion: unknown field `temprature`, expected one of `prompt`, `messages`, `system`, `model`, `temperature`, `max_tokens`, `top_p`, `stop`, `seed`, `response_format`, `stream`, `extra`",
        ),
    ] {
        let fault = chat("openai", "http://127.0.0.1:1", params).await.unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (Code::INVALID_PARAMS, message));
    }
    let fault = chat("openai", "localhost/v1", json!({"prompt": "x"})).await.unwrap_err();
    assert_eq!(
        fault.message,
        "the credential's base_url cannot be used: url \"localhost/v1/chat/completions\" is not a URL: relative URL without a base; write it whole, as in https://api.example.com/items"
    );
}

#[tokio::test]
async fn the_key_stays_at_its_origin() {
    let second = Server::start(|_| reply(401, &[], "")).await;
    let target = second.url("/v1/chat/completions");
    let first = Server::start(move |_| reply(307, &[("location", &target)], "")).await;
    let fault = chat("openai", &first.url("/v1"), json!({"prompt": "x"})).await.unwrap_err();
    assert_eq!(fault.code, Code::BAD_RESPONSE);
    assert!(second.seen().is_empty());
}
