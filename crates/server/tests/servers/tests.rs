//! The servers themselves, asked by a plain client.

use std::sync::Arc;

use mainspring_model::clock::{Clock, FakeClock};
use serde_json::{Value, json};

use super::{Chat, Client, Jobs, Refusal, board, echo, file};

fn prompt(stream: bool) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "two words"}], "stream": stream, "stream_options": {"include_usage": true}})
}

#[tokio::test]
async fn the_chat_server_speaks_the_protocol() {
    let chat = Chat::start("sk-1", "Größe: 日本 🦀").await;
    let mut client = Client::connect(chat.server.address).await;
    let key = [("authorization", "Bearer sk-1")];

    let whole = client.post("/v1/chat/completions", &key, &prompt(false)).await;
    assert_eq!(whole.json()["choices"][0]["message"]["content"], "Größe: 日本 🦀");
    assert_eq!(whole.json()["usage"]["total_tokens"], 9);

    let streamed = client.post("/v1/chat/completions", &key, &prompt(true)).await;
    assert_eq!(streamed.header("content-type"), "text/event-stream; charset=utf-8");
    let text = String::from_utf8(streamed.body.to_vec()).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    let (last, chunks) = events.split_last().unwrap();
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    assert_eq!(*last, "[DONE]");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Größe: 日本 🦀");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!((&chunks[chunks.len() - 1]["choices"], &chunks[chunks.len() - 1]["usage"]["total_tokens"]), (&json!([]), &json!(9)));

    for (headers, body, status, code) in [
        (&[][..], prompt(true), 401, Value::Null),
        (&[("authorization", "Bearer sk-2")][..], prompt(true), 401, json!("invalid_api_key")),
        (&key[..], json!({"model": "gpt-9", "messages": []}), 404, json!("model_not_found")),
        (&key[..], json!({"model": "gpt-4o-mini", "messages": []}), 400, Value::Null),
    ] {
        let refused = client.post("/v1/chat/completions", headers, &body).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (status, &code));
    }
    chat.refuse([Refusal::Busy { retry_after: 7 }]);
    let busy = client.post("/v1/chat/completions", &key, &prompt(true)).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (429, "7"));
    assert_eq!(chat.server.asked().len(), 7);
}

#[tokio::test]
async fn boards_files_jobs_and_the_echo_answer() {
    let board = board().await;
    let mut client = Client::connect(board.address).await;
    let second = async {
        client.post("/a", &[], &json!(1)).await;
        client.post("/b", &[], &json!({"x": 2})).await
    };
    let (answer, ()) = tokio::join!(second, board.reaches(2));
    assert_eq!((answer.status.as_u16(), answer.json()), (201, json!({"received": 2})));
    assert_eq!(board.lines(), ["POST /a", "POST /b"]);
    assert_eq!(board.asked_for("POST /b")[0].json(), json!({"x": 2}));

    let text = "naïve;".repeat(5_000);
    let file = file("/f.csv", "text/csv", text.clone()).await;
    let mut client = Client::connect(file.address).await;
    let answer = client.send("GET", "/f.csv", &[], "").await;
    assert_eq!((answer.header("content-type"), answer.header("content-length"), &*answer.body), ("text/csv", "", text.as_bytes()));
    assert_eq!(client.send("GET", "/other", &[], "").await.status, 404);

    let echo = echo().await;
    let answer = Client::connect(echo.address).await.send("PUT", "/p?q=1", &[("x-a", "b")], "text").await.json();
    assert_eq!(
        answer,
        json!({"method": "PUT", "path": "/p", "query": "q=1", "body": "text",
        "headers": {"host": echo.address.to_string(), "x-a": "b", "content-length": "4"}})
    );

    let clock = FakeClock::at(1_000);
    let jobs = Jobs::start(2, json!({"state": "done"}), Arc::new(clock.clone())).await;
    let mut client = Client::connect(jobs.server.address).await;
    let key = [("idempotency-key", "k")];
    let first = client.post("/jobs", &key, &json!({})).await.json();
    assert_eq!(first, client.post("/jobs", &key, &json!({})).await.json());
    assert_eq!(client.send("GET", "/job?id=job-1", &[], "").await.json(), json!({"state": "running", "percent": 50}));
    clock.advance_to(clock.now() + 500);
    assert_eq!(client.send("GET", "/job?id=job-1", &[], "").await.json(), json!({"state": "done"}));
    assert_eq!(jobs.looks(), [1_000, 1_500]);
    assert_eq!(client.send("GET", "/job?id=job-9", &[], "").await.status, 404);
}
