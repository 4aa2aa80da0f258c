//! Answers with run data, without what the caller's role does not see. Put over whole answers, so that no handler can forget it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header;
use http_body_util::BodyExt;
use mainspring_model::hidden::{HiddenField, Veil};
use mainspring_model::id::OrgId;
use serde_json::Value;

use super::api::Api;
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use crate::known::Known;

/// The rules of organizations, as they were seen lately.
pub type Rules = Known<OrgId, Arc<[HiddenField]>>;

/// What is hidden from this caller.
pub async fn of(api: &Api, caller: &Caller) -> Refusable<Veil> {
    let org = caller.owner.org;
    let read = async { api.store.hidden_fields(org).await.map(Arc::from) };
    Ok(Veil::of(caller.role, &api.hidden.get_or(org, api.clock.now(), read).await?))
}

/// The same answer with what is hidden taken out: JSON as a whole, server-sent events one by one.
pub async fn over(veil: Veil, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        whole(&veil, response).await
    } else if kind.starts_with("text/event-stream") {
        let (parts, body) = response.into_parts();
        // An event is written as one frame.
        let body = body.map_frame(move |frame| frame.map_data(|bytes| lines(&veil, &bytes)));
        Response::from_parts(parts, Body::new(body))
    } else {
        response
    }
}

async fn whole(veil: &Veil, response: Response) -> Response {
    use axum::response::IntoResponse;
    let (mut parts, body) = response.into_parts();
    let read = body.collect().await.map(http_body_util::Collected::to_bytes);
    let Some(mut value) = read.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
        return Problem::internal("an answer that has to be looked through is no JSON").into_response();
    };
    veil.over(&mut value);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(value.to_string()))
}

fn lines(veil: &Veil, bytes: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("data:").map(|data| (data, serde_json::from_str::<Value>(data.trim()))) {
            Some((_, Ok(mut value))) => {
                veil.over(&mut value);
                out.push_str(&format!("data: {value}\n"));
            }
            _ => out.push_str(line),
        }
    }
    out.into()
}

/// A message of a socket.
pub fn message(veil: &Veil, text: String) -> String {
    if veil.is_empty() {
        return text;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            veil.over(&mut value);
            value.to_string()
        }
        Err(_) => text,
    }
}
