//! Completions that come in pieces, cut at every byte.

use mainspring_model::{Class, Code, Effected};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{chat, delta, event};
use crate::net::*;

/// Streams these bytes in chunks of `size`, as HTTP chunks of their own.
async fn streamed(text: &str, size: usize) -> Result<mainspring_model::action::Output, mainspring_model::Fault> {
    let raw = Raw::listen().await;
    let base = raw.url("/v1");
    let serve = async {
        let mut stream = raw.request().await;
        stream.set_nodelay(true).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        for chunk in text.as_bytes().chunks(size) {
            // The caller may have gone after an error or [DONE].
            let sent = async {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                stream.write_all(chunk).await?;
                stream.write_all(b"\r\n").await
            };
            if sent.await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = stream.write_all(b"0\r\n\r\n").await;
    };
    tokio::join!(chat("openai", &base, json!({"prompt": "x", "stream": true})), serve).0
}

fn whole() -> String {
    let mut text = String::from(": a comment\n\n");
    text += &event(
        &json!({"model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}, "finish_reason": null}]}),
    );
    for piece in ["Größe", " — ", "日本", "🦀", " ende"] {
        text += &event(&delta(piece));
    }
    text += &event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    text += &event(&json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}}));
    text + "data: [DONE]\n\n"
}

#[tokio::test]
async fn a_stream_cut_anywhere_gives_the_same_text() {
    for size in [1, 2, 3, 5, 7, 11, 64, 100_000] {
        for text in [whole(), whole().replace('\n', "\r\n")] {
            let output = streamed(&text, size).await.unwrap();
            assert_eq!(output.value, json!("Größe — 日本🦀 ende"), "{size}");
            assert_eq!(
                Value::Object(output.metadata),
                json!({
                    "model": "gpt-4o-mini-2024-07-18", "finish_reason": "stop", "tokens_used": 11,
                    "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11},
                })
            );
        }
    }
}

#[tokio::test]
async fn the_request_asks_for_a_stream_with_usage() {
    let server = Server::start(|_| reply(200, &[("content-type", "text/event-stream")], whole())).await;
    let output = chat("groq", &server.url(""), json!({"prompt": "x", "stream": true})).await.unwrap();
    assert_eq!(output.value, json!("Größe — 日本🦀 ende"));
    let body: Value = serde_json::from_slice(&server.only().body).unwrap();
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &json!({"include_usage": true})));
}

#[tokio::test]
async fn groqs_usage_and_an_end_without_done() {
    let text = event(&delta("hi"))
        + &event(&json!({"choices": [{"delta": {}, "finish_reason": "length"}], "x_groq": {"id": "r1", "usage": {"total_tokens": 3}}}));
    let output = streamed(&text, 9).await.unwrap();
    assert_eq!(
        (output.value, &output.metadata["tokens_used"], &output.metadata["finish_reason"]),
        (json!("hi"), &json!(3), &json!("length"))
    );
}

#[tokio::test]
async fn tool_calls_are_put_together() {
    let call = |value: Value| event(&json!({"choices": [{"delta": {"tool_calls": [value]}, "finish_reason": null}]}));
    let text = call(json!({"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}))
        + &call(json!({"index": 0, "function": {"arguments": "{\"a\""}}))
        + &call(json!({"index": 0, "function": {"arguments": ":1}"}}))
        + "data: [DONE]\n\n";
    let output = streamed(&text, 4).await.unwrap();
    assert_eq!(
        output.metadata["tool_calls"],
        json!([{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}])
    );
}

#[tokio::test]
async fn an_error_in_mid_stream() {
    let text = event(&delta("half"))
        + &event(&json!({"error": {"message": "The server had an error", "type": "server_error"}}))
        + &event(&delta("more"));
    let fault = streamed(&text, 6).await.unwrap_err();
    assert!(fault.message.ends_with("/v1/chat/completions broke off with an error: The server had an error"), "{fault}");
    assert_eq!((&fault.code, fault.class, fault.effect), (&Code::PROVIDER_ERROR, Class::Transient, Effected::Sent));
    assert_eq!(fault.details.unwrap(), json!({"error": {"message": "The server had an error", "type": "server_error"}, "partial": "half"}));
}

#[tokio::test]
async fn streams_that_end_early_or_are_none() {
    let fault = streamed(&event(&delta("half")), 6).await.unwrap_err();
    assert!(fault.message.ends_with("ended its stream after 4 characters, before the answer was finished"), "{fault}");
    assert_eq!((fault.code, fault.retryable, fault.details.unwrap()), (Code::CONNECTION_FAILED, true, json!({"partial": "half"})));

    let fault = streamed("data: {oops\n\n", 6).await.unwrap_err();
    assert_eq!(fault.code, Code::BAD_RESPONSE);
    assert!(fault.message.contains("sent an event that is not JSON: key must be a string at line 1 column 2"), "{fault}");

    let fault = streamed(&format!("data: {}", "x".repeat(1_100_000)), 60_000).await.unwrap_err();
    assert_eq!(fault.code, Code::PAYLOAD_TOO_LARGE);
    assert!(fault.message.ends_with("sent an event of more than 1048576 bytes"), "{fault}");
}

#[tokio::test]
async fn a_stream_that_was_not_asked_for_and_an_object_instead_of_one() {
    let server = Server::start(|_| reply(200, &[("content-type", "text/event-stream")], whole())).await;
    assert_eq!(chat("openai", &server.url(""), json!({"prompt": "x"})).await.unwrap().value, json!("Größe — 日本🦀 ende"));
    let server = Server::start(|_| json(&json!({"choices": [{"message": {"content": "one piece"}}]}))).await;
    let output = chat("openai", &server.url(""), json!({"prompt": "x", "stream": true, "model": "m"})).await.unwrap();
    assert_eq!(
        (output.value, output.metadata),
        (json!("one piece"), json!({"model": "m", "finish_reason": null, "tokens_used": null, "usage": null}).as_object().unwrap().clone())
    );
}

#[tokio::test]
async fn many_short_lines_cost_time_in_proportion() {
    // 800 KB of short lines: work in proportion to their square would take minutes.
    let text = "data: 1\n".repeat(500) + "\n";
    let server = Server::start(move |_| {
        reply(200, &[("content-type", "text/event-stream")], format!("{}{}", ": x\n".repeat(200_000), text.clone()))
    })
    .await;
    assert_eq!(chat("openai", &server.url(""), json!({"prompt": "x"})).await.unwrap_err().code, Code::BAD_RESPONSE);
}
