//! Completions that come as one object.

use mainspring_model::Code;
use mainspring_model::action::Effect;
use mainspring_providers::apart::Apart;
use mainspring_providers::{Parts, built_ins};
use serde_json::{Value, json};

use super::chat;
use crate::net::*;

fn completion(message: Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    })
}

#[tokio::test]
async fn the_output_is_the_text_and_usage_is_in_metadata() {
    let server = Server::start(|_| json(&completion(json!({"role": "assistant", "content": "Rivers run."})))).await;
    let output = chat("openai", &server.url("/v1/"), json!({"prompt": "Three facts about rivers"})).await.unwrap();
    assert_eq!(output.value, json!("Rivers run."));
    assert_eq!(output.message, "gpt-4o-mini-2024-07-18 answered, 21 tokens");
    assert_eq!(
        Value::Object(output.metadata),
        json!({
            "model": "gpt-4o-mini-2024-07-18", "finish_reason": "stop", "tokens_used": 21,
            "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        })
    );
    let seen = server.only();
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization"), seen.header("content-type")),
        ("/v1/chat/completions", "Bearer sk-secret", "application/json")
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&seen.body).unwrap(),
        json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Three facts about rivers"}], "temperature": 0.7, "max_tokens": 1000})
    );
}

#[tokio::test]
async fn every_param_reaches_the_service() {
    let server = Server::start(|_| json(&completion(json!({"content": "ok"})))).await;
    let params = json!({
        "system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "prompt": {"a": 1},
        "model": "llama-x", "temperature": 0, "max_tokens": 5, "top_p": 0.5, "stop": ["."], "seed": 7, "response_format": {"type": "json_object"},
        "extra": {"presence_penalty": 1, "max_tokens": 6},
    });
    chat("groq", &server.url("/openai/v1"), params).await.unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&server.only().body).unwrap(),
        json!({
            "model": "llama-x",
            "messages": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "{\"a\":1}"},
            ],
            "temperature": 0.0, "max_tokens": 6, "top_p": 0.5, "stop": ["."], "seed": 7, "response_format": {"type": "json_object"}, "presence_penalty": 1,
        })
    );
}

#[tokio::test]
async fn reasoning_models_get_no_temperature_and_the_newer_limit() {
    for (model, reasons) in [
        ("o3-mini", true),
        ("gpt-5", true),
        ("openai/gpt-5-mini", true),
        ("o1", true),
        ("gpt-4o", false),
        ("gpt-4.1-nano", false),
        ("olmo", false),
        ("llama-3.3-70b-versatile", false),
    ] {
        let server = Server::start(|_| json(&completion(json!({"content": "ok"})))).await;
        chat("openai", &server.url(""), json!({"prompt": "x", "model": model})).await.unwrap();
        chat("openai", &server.url(""), json!({"prompt": "x", "model": model, "max_tokens": 9})).await.unwrap();
        let sent: Vec<Value> = server.seen().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
        assert_eq!(sent[0].get("temperature").is_none(), reasons, "{model}");
        assert_eq!(sent[0].get("max_tokens").is_none(), reasons, "{model}");
        assert_eq!(sent[1].get("max_completion_tokens").is_some(), reasons, "{model}");
    }
}

#[tokio::test]
async fn content_in_parts_refusals_and_tool_calls() {
    for (message, expected) in [
        (json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), "ab"),
        (json!({"content": null, "refusal": "No."}), "No."),
        (json!({"content": null, "tool_calls": [{"id": "t1"}]}), ""),
    ] {
        let calls = message.get("tool_calls").cloned();
        let server = Server::start(move |_| json(&completion(message.clone()))).await;
        let output = chat("openai", &server.url(""), json!({"prompt": "x"})).await.unwrap();
        assert_eq!((output.value, output.metadata.get("tool_calls").cloned()), (json!(expected), calls));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_completion() {
    let server = Server::start(|seen| {
        json(&if seen.path.starts_with("/a") { json!({"models": []}) } else { json!({"error": {"message": "overloaded"}}) })
    })
    .await;
    let fault = chat("openai", &server.url("/a"), json!({"prompt": "x"})).await.unwrap_err();
    assert_eq!(fault.code, Code::BAD_RESPONSE);
    assert!(
        fault.message.ends_with("answered JSON that is no chat completion: it has no choices; check the credential's base_url"),
        "{fault}"
    );
    let fault = chat("openai", &server.url("/b"), json!({"prompt": "x"})).await.unwrap_err();
    assert_eq!(fault.code, Code::PROVIDER_ERROR);
    assert!(fault.message.ends_with("answered an error: overloaded"), "{fault}");
}

#[test]
fn what_the_catalogue_says() {
    for (id, model) in [("openai", "gpt-4o-mini"), ("groq", "llama-3.3-70b-versatile")] {
        let providers = built_ins(&Parts { egress: dev(), apart: Apart::here() });
        let provider = providers.iter().find(|provider| provider.id == id).unwrap();
        let spec = provider.action("chat_completion").unwrap().spec();
        assert_eq!((spec.effect, spec.needs_credential, spec.timeout.unwrap().as_secs()), (Effect::Idempotent, true, 600));
        assert_eq!(spec.params["properties"]["model"]["default"], json!(model));
        assert_eq!(
            provider.credential.iter().map(|field| (field.name.as_str(), field.required, field.secret)).collect::<Vec<_>>(),
            [("api_key", true, true), ("base_url", false, false)]
        );
    }
}
