//! A completion that comes in pieces: server-sent events, each a chunk with a delta, `[DONE]` at the end.

use std::pin::pin;

use bytes::Bytes;
use eventsource_stream::{EventStream, EventStreamError};
use futures_util::{Stream, StreamExt, stream};
use mainspring_model::value::preview;
use mainspring_model::{Class, Code, Fault};
use serde_json::{Value, json};

use super::completion::{Completion, content, usage};
use crate::egress::Answer;

/// The parser copies its whole buffer for every line, so it gets the wire in pieces of this many bytes, and no line may
/// be longer than `LONGEST`: its work then stays linear in the size of the answer.
const PIECE: usize = 4 << 10;
const LONGEST: usize = 1 << 20;

/// Tool calls of one answer.
const MOST_CALLS: usize = 128;

/// Collects a stream.
///
/// # Errors
/// `PROVIDER_ERROR` for an error in mid-stream, `CONNECTION_FAILED` when it breaks off or ends before it is finished,
/// `BAD_RESPONSE` for what is no chunk, beside those of [`Answer::chunk`].
pub(super) async fn collect(answer: &mut Answer) -> Result<Completion, Fault> {
    let place = answer.place.clone();
    let fault = |code: Code, text: String| Fault::new(code, format!("{place} {text}")).effect(mainspring_model::Effected::Sent);
    let mut out = Completion::default();
    let mut events = pin!(EventStream::new(pieces(answer)));
    let mut done = false;
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(EventStreamError::Transport(fault)) => return Err(fault),
            Err(other) => return Err(fault(Code::BAD_RESPONSE, format!("sent a stream that is no event stream: {other}"))),
        };
        if event.data.trim() == "[DONE]" {
            done = true;
            break;
        }
        let chunk: Value = serde_json::from_str(&event.data)
            .map_err(|error| fault(Code::BAD_RESPONSE, format!("sent an event that is not JSON: {error}")))?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(broken(error, &out, &fault));
        }
        take(&mut out, &chunk);
    }
    if done || out.finish_reason.is_some() {
        return Ok(out);
    }
    let text = format!("ended its stream after {} characters, before the answer was finished", out.text.chars().count());
    Err(fault(Code::CONNECTION_FAILED, text).details(json!({"partial": preview(&Value::String(out.text), 2_000)})))
}

fn take(out: &mut Completion, chunk: &Value) {
    if out.model.is_none() {
        out.model = chunk["model"].as_str().map(str::to_owned);
    }
    // The usage chunk comes last, with an empty list of choices.
    if let Some(usage) = usage(chunk) {
        out.usage = Some(usage);
    }
    let Some(choice) = chunk.pointer("/choices/0") else { return };
    let delta = &choice["delta"];
    if let Some(text) = content(&delta["content"]).or_else(|| delta["refusal"].as_str().map(str::to_owned)) {
        out.text.push_str(&text);
    }
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        merge_call(&mut out.tool_calls, call);
    }
    if let Some(reason) = choice["finish_reason"].as_str() {
        out.finish_reason = Some(reason.to_owned());
    }
}

/// A tool call comes as its head first and its arguments in pieces after, told apart by `index`.
fn merge_call(calls: &mut Vec<Value>, piece: &Value) {
    let index = piece["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(calls.len());
    let Some(call) = calls.get_mut(index) else {
        let mut call = piece.clone();
        if let Some(fields) = call.as_object_mut() {
            fields.shift_remove("index");
        }
        if calls.len() < MOST_CALLS {
            calls.push(call);
        }
        return;
    };
    // In place: a service decides how many pieces there are.
    if let (Some(Value::String(so_far)), Some(more)) =
        (call.pointer_mut("/function/arguments"), piece.pointer("/function/arguments").and_then(Value::as_str))
    {
        so_far.push_str(more);
    }
}

fn broken(error: &Value, out: &Completion, fault: &dyn Fn(Code, String) -> Fault) -> Fault {
    let said = error["message"].as_str().or(error.as_str()).unwrap_or("it gave no reason");
    let said: String = said.chars().take(300).collect();
    let mut fault = fault(Code::PROVIDER_ERROR, format!("broke off with an error: {said}"));
    fault.class = Class::Transient;
    fault.details(json!({"error": error, "partial": preview(&Value::String(out.text.clone()), 2_000)}))
}

/// The body in small pieces.
fn pieces(answer: &mut Answer) -> impl Stream<Item = Result<Bytes, Fault>> {
    let state = (answer, Bytes::new(), 0_usize);
    stream::try_unfold(state, |(answer, mut held, mut line)| async move {
        if held.is_empty() {
            match answer.chunk().await? {
                Some(chunk) => held = chunk,
                None => return Ok(None),
            }
        }
        let piece = held.split_to(held.len().min(PIECE));
        line = match piece.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) => piece.len() - at,
            None => line + piece.len(),
        };
        if line > LONGEST {
            return Err(answer.fault(Code::PAYLOAD_TOO_LARGE, format!("sent an event of more than {LONGEST} bytes")));
        }
        Ok(Some((piece, (answer, held, line))))
    })
}
