//! Live updates as server-sent events: the same topics and events as over the WebSocket, for whoever only listens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use mainspring_model::clock::Millis;
use serde::Deserialize;
use utoipa::IntoParams;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use super::query::Query;
use super::reach::{self, Reach};
use super::socket::{TOPICS, identity, refusal, too_many};
use crate::live::{Item, Place, Reader, Topic};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// A comma list: `runs`, `run:<id>`, `plan:<id>`, `schedules`, `notices`, `notifications`; at most 20.
    #[param(example = "runs,notices")]
    topics: Option<String>,
}

const MOST_TOPICS: usize = 20;

/// Follow topics as things happen (server-sent events)
///
/// Each event is named by its `type` and has as id the place in all topics, so that `Last-Event-ID` goes on where a stream broke.
/// `reset` says that events of a topic are no longer there: fetch its state anew. `end`: the run is over. The stream ends when all topics have.
#[utoipa::path(get, path = "/api/live", tag = "live",
    params(LiveQuery, ("Last-Event-ID" = Option<String>, Header, description = "Goes on behind this event; for the same topics in the same order.")),
    responses(
        (status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"),
        (status = 429, description = "`TOO_MANY_READERS`: the organization has as many readers as it may; or `RATE_LIMITED`."),
    ))]
pub async fn stream_live(State(api): Shared, caller: Caller, Query(query): Query<LiveQuery>, headers: HeaderMap) -> Refusable<Response> {
    let topics = topics(query.topics.as_deref().unwrap_or_default())?;
    let after = match headers.get("last-event-id") {
        None => vec![None; topics.len()],
        Some(value) => places(&topics, value.to_str().unwrap_or_default())
            .ok_or_else(|| Problem::malformed("Last-Event-ID is none that we gave for these topics"))?,
    };
    let mut reader = Reader::new(&api.live, caller.owner, Reach::of(&api, &caller).await?.for_feeds()).ok_or_else(too_many)?;
    let mut places = Vec::new();
    for (topic, after) in topics.into_iter().zip(after) {
        // Where it asked to go on, until an event or a reset says otherwise.
        let begins = reader.subscribe(topic, after).await.map_err(|refused| refusal(topic, refused))?;
        places.push((topic, after.unwrap_or(begins)));
    }
    let look_at = api.clock.now() + reach::LOOK;
    let follow = Follow { api, identity: identity(&headers), look_at, reader, places };
    let events = stream::unfold(follow, |mut follow| async move { Some((Ok::<_, Infallible>(follow.next().await?), follow)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn topics(text: &str) -> Refusable<Vec<Topic>> {
    let mut topics = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let topic = name.parse().map_err(|()| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "UNKNOWN_TOPIC", TOPICS))?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    match topics.len() {
        0 => Err(Problem::malformed(format!("topics: {TOPICS}; write a comma list"))),
        1..=MOST_TOPICS => Ok(topics),
        _ => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "TOO_MANY_TOPICS", format!("at most {MOST_TOPICS} topics in one stream"))),
    }
}

/// One place for each topic, in their order.
fn places(topics: &[Topic], text: &str) -> Option<Vec<Option<Place>>> {
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() != topics.len() {
        return None;
    }
    topics.iter().zip(parts).map(|(topic, part)| Place::parse(*topic, part).map(Some)).collect()
}

struct Follow {
    api: Arc<Api>,
    /// The headers that say who asks.
    identity: HeaderMap,
    /// When they are looked at again.
    look_at: Millis,
    reader: Reader,
    /// Up to where each topic was sent.
    places: Vec<(Topic, Place)>,
}

impl Follow {
    async fn next(&mut self) -> Option<Sent> {
        let api = self.api.clone();
        let item = loop {
            if self.reader.is_done() {
                return None;
            }
            tokio::select! {
                biased;
                () = api.closing.cancelled() => return None,
                () = api.clock.sleep_until(self.look_at) => self.look_again().await?,
                item = self.reader.next() => break item,
            }
        };
        let topic = item.topic();
        let data = super::command::frame(&item);
        let (name, place) = match item {
            Item::Event { place, text, .. } => (kind(&text), place),
            Item::Reset { place, .. } => ("reset".to_owned(), Some(place)),
            Item::End { .. } => ("end".to_owned(), None),
        };
        if let (Some(place), Some((_, at))) = (place, self.places.iter_mut().find(|(known, _)| *known == topic)) {
            *at = place;
        }
        let id: Vec<String> = self.places.iter().map(|(_, place)| place.to_string()).collect();
        Some(Sent::default().event(name).id(id.join(",")).data(data))
    }
}

impl Follow {
    /// `None`: whoever reads may no longer. A store that does not answer just now takes nobody's right away.
    async fn look_again(&mut self) -> Option<()> {
        self.look_at = self.api.clock.now() + reach::LOOK;
        match reach::look_again(&self.api, &self.identity).await {
            Ok((_, reach)) => self.reader.look_again(reach.for_feeds()),
            Err(problem) if problem.status.is_client_error() => return None,
            Err(_) => {}
        }
        Some(())
    }
}

/// The event's own name, which stands first in its text.
fn kind(text: &str) -> String {
    text.strip_prefix("{\"type\":\"").and_then(|rest| rest.split('"').next()).unwrap_or("event").to_owned()
}
