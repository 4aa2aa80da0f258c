//! A run's events as they happen: its history first, then what becomes durable, without a gap or a double.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use mainspring_engine::live::LiveEvent;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{PlanId, RunId};
use mainspring_model::store::JournalRow;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::history;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::reach;
use super::shape::Time;
use super::socket::identity;

/// How often the journal itself is looked at, in milliseconds: another process may drive the run, and no word comes from there.
const LOOK: Millis = 5_000;

/// Follow a run (server-sent events)
///
/// Each journal row is an event named by its kind, with its `seq` as id, so that `Last-Event-ID` goes on where a stream broke.
/// `attempting` says that an attempt has begun; it is not journalled and has no id. The stream ends after `finished`.
#[utoipa::path(get, path = "/api/runs/{id}/events", tag = "runs",
    params(("id" = String, Path, format = "uuid"), ("Last-Event-ID" = Option<u32>, Header, description = "Events up to this one are left out.")),
    responses((status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream")))]
pub async fn stream_events(State(api): Shared, caller: Caller, PathId(id): PathId<RunId>, headers: HeaderMap) -> Refusable<Response> {
    let plan = history::summary(&api, &caller, id).await?.plan_id;
    let last = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| Problem::malformed("Last-Event-ID is no number that we gave"))?,
    };
    // Listening before reading: what becomes durable in between is then seen twice rather than never, and `last` drops the double.
    let heard = api.engine.watchers().watch(id);
    let look_at = api.clock.now() + reach::LOOK;
    let identity = identity(&headers);
    let mut follow = Follow { api: api.clone(), run: id, plan, identity, look_at, heard, last, ready: VecDeque::new(), over: false };
    follow.read().await?;
    let events = stream::unfold(follow, |mut follow| async move { Some((Ok::<_, Infallible>(follow.next().await?), follow)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

struct Follow {
    api: Arc<Api>,
    run: RunId,
    plan: PlanId,
    /// The headers that say who asks.
    identity: HeaderMap,
    /// When they are looked at again.
    look_at: Millis,
    heard: Receiver<LiveEvent>,
    /// The newest `seq` that was made ready.
    last: u32,
    ready: VecDeque<Sent>,
    over: bool,
}

impl Follow {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            let api = self.api.clone();
            if api.clock.now() >= self.look_at && !self.may_go_on().await {
                return None;
            }
            let heard = tokio::select! {
                biased;
                () = api.closing.cancelled() => return None,
                heard = self.heard.recv() => Some(heard),
                () = api.clock.sleep_until(api.clock.now() + LOOK) => None,
            };
            match heard {
                Some(Ok(LiveEvent::Attempting { path, attempt, action, at })) => {
                    let data = json!({"path": path, "attempt": attempt, "action": action, "at": Time(at)});
                    self.ready.push_back(Sent::default().event("attempting").data(data.to_string()));
                }
                Some(Ok(LiveEvent::Row(row))) if row.seq == self.last + 1 => self.push_row(&row),
                Some(Ok(LiveEvent::Row(row))) if row.seq <= self.last => {}
                // A gap, a slow reader, or silence: the journal has it all.
                Some(Ok(LiveEvent::Row(_)) | Err(RecvError::Lagged(_))) | None => {
                    if let Err(problem) = self.read().await {
                        tracing::warn!(run_id = %self.run, cause = problem.cause, "an event stream could not be read on");
                        return None;
                    }
                }
                Some(Err(RecvError::Closed)) => return None,
            }
        }
    }

    /// Whether whoever follows reaches the run still. A store that does not answer just now takes nobody's right away.
    async fn may_go_on(&mut self) -> bool {
        self.look_at = self.api.clock.now() + reach::LOOK;
        match reach::look_again(&self.api, &self.identity).await {
            Ok((_, reach)) => reach.sees(self.plan),
            Err(problem) => !problem.status.is_client_error(),
        }
    }

    /// Makes ready what the journal has beyond `last`.
    async fn read(&mut self) -> Refusable<()> {
        for Event { seq, at, body } in self.api.store.history(self.run).await? {
            let kind = body.kind();
            if seq > self.last {
                let body = serde_json::to_value(&body).map_err(Problem::internal)?;
                self.push(seq, at, kind, body);
            }
            // Also when the caller has seen it already: nothing comes after it.
            self.over |= kind == "finished";
        }
        Ok(())
    }

    fn push_row(&mut self, row: &JournalRow) {
        match serde_json::from_str(&row.body) {
            Ok(body) => self.push(row.seq, row.at, row.kind, body),
            Err(error) => tracing::error!(run_id = %self.run, seq = row.seq, %error, "a journal row is no JSON"),
        }
    }

    fn push(&mut self, seq: u32, at: Millis, kind: &'static str, body: Value) {
        self.last = seq;
        self.over |= kind == "finished";
        let data = shown(seq, at, body);
        self.ready.push_back(Sent::default().id(seq.to_string()).event(kind).data(data.to_string()));
    }
}

/// A row for reading: moments as text, and of a value that lies elsewhere its beginning.
fn shown(seq: u32, at: Millis, body: Value) -> Value {
    let mut data = json!({"seq": seq, "at": Time(at)});
    if let (Value::Object(data), Value::Object(body)) = (&mut data, body) {
        for (name, value) in body {
            match (name.as_str(), value.as_i64()) {
                ("until" | "retry_at" | "now", Some(moment)) => drop(data.insert(name, json!(Time(moment)))),
                ("blob", _) => {
                    data.insert("output_preview".to_owned(), value["preview"].clone());
                    data.insert("output_size".to_owned(), value["size"].clone());
                }
                _ => drop(data.insert(name, value)),
            }
        }
    }
    data
}
