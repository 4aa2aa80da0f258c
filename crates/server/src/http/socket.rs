//! Live updates over a WebSocket: topics are subscribed to and left on one connection, and who does not keep up is dropped.

use std::pin::pin;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_model::clock::Millis;
use mainspring_model::hidden::Veil;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::command::{self, Command};
use super::problem::{Problem, Refusable};
use super::reach::{self, Reach};
use super::veil;
use crate::live::{Place, Reader, Refused, Topic};

/// The protocol's name, for clients that have to name one.
const PROTOCOL: &str = "mainspring.v1";
/// A browser cannot send a header, but a list of protocols: the key comes as one more of them, which is never answered.
const KEY_PROTOCOL: &str = "bearer.";
/// The largest message of a client, in bytes.
const MOST_BYTES: usize = 4_096;
/// Messages of one client that make no sense, until it is closed.
const MOST_ERRORS: usize = 20;
/// A peer that says nothing for so many pings is gone.
const SILENT_PINGS: Millis = 3;

/// Codes of a close, beyond those of the protocol (RFC 6455).
const REVOKED: u16 = 4_001;
const SILENT: u16 = 4_008;
const AWAY: u16 = 1_001;
const PROTOCOL_ERROR: u16 = 1_002;
const UNSUPPORTED: u16 = 1_003;
const POLICY: u16 = 1_008;

/// Follow topics as things happen (WebSocket)
///
/// Topics: `runs`, `run:<id>`, `plan:<id>`, `schedules`, `notices`, `notifications`, of the caller's organization. A client sends
/// `{"op":"subscribe","topic":…,"after"?:…}`, `{"op":"unsubscribe","topic":…}` or `{"op":"ping"}`; docs/live-updates.md has the answers. A browser
/// names the protocols `mainspring.v1` and `bearer.<API key>`.
#[utoipa::path(get, path = "/api/ws", tag = "live", responses(
    (status = 101, description = "The connection is a WebSocket now."),
    (status = 426, description = "The request asks for no WebSocket."),
    (status = 429, description = "`TOO_MANY_READERS`: the organization has as many readers as it may; or `RATE_LIMITED`."),
))]
pub async fn open_socket(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Refusable<Response> {
    let identity = identity(&headers);
    let upgrade = upgrade.map_err(|error| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", format!("this address speaks WebSocket only: {error}"))
            .header(header::UPGRADE, HeaderValue::from_static("websocket"))
    })?;
    let reader = Reader::new(&api.live, caller.owner, Reach::of(&api, &caller).await?.for_feeds()).ok_or_else(too_many)?;
    let sockets = api.sockets.clone();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MOST_BYTES)
        .max_frame_size(MOST_BYTES)
        // A connection that only listens must cost little: the default keeps 128 KiB for each.
        .read_buffer_size(1_024)
        .write_buffer_size(0);
    let veil = veil::of(&api, &caller).await?;
    Ok(upgrade.on_upgrade(move |socket| sockets.track_future(Box::pin(converse(api, identity, veil, reader, socket)))))
}

/// 429: live updates are read by as many as may.
pub fn too_many() -> Box<Problem> {
    let detail = "the organization, or the node, has as many live readers as it may; close one, or ask another node";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_READERS", detail).retry_after(5)
}

/// The headers that say who asks, kept for as long as the connection: the key may be removed meanwhile.
pub(super) fn identity(headers: &HeaderMap) -> HeaderMap {
    let mut identity = HeaderMap::with_capacity(2);
    for name in [header::AUTHORIZATION, header::COOKIE, header::HeaderName::from_static("x-organization")] {
        if let Some(value) = headers.get(&name) {
            identity.insert(name, value.clone());
        }
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let key = offered.flat_map(|value| value.split(',')).find_map(|name| name.trim().strip_prefix(KEY_PROTOCOL));
    if let (false, Some(Ok(value))) =
        (identity.contains_key(header::AUTHORIZATION), key.map(|key| HeaderValue::from_str(&format!("Bearer {key}"))))
    {
        identity.insert(header::AUTHORIZATION, value);
    }
    identity
}

/// How a conversation ended.
enum End {
    /// With a word to the peer.
    Close(u16, &'static str),
    /// The peer is gone, or takes nothing.
    Gone,
}

async fn converse(api: Arc<Api>, identity: HeaderMap, veil: Veil, reader: Reader, mut socket: WebSocket) {
    let mut talk = Talk { api: &api, identity, veil, reader, errors: 0 };
    let End::Close(code, reason) = talk.go_on(&mut socket).await else { return };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if talk.send(&mut socket, close).await.is_ok() {
        // Until the peer has said that it heard, or for as long as it may be slow.
        let heard = async { while let Some(Ok(_)) = socket.recv().await {} };
        select(pin!(heard), pin!(api.clock.sleep_until(api.clock.now() + 1_000))).await;
    }
}

struct Talk<'a> {
    api: &'a Api,
    identity: HeaderMap,
    /// As it was when the caller was last looked at.
    veil: Veil,
    reader: Reader,
    errors: usize,
}

impl Talk<'_> {
    async fn go_on(&mut self, socket: &mut WebSocket) -> End {
        match self.exchange(socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn exchange(&mut self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        let clock = &self.api.clock;
        let ping = self.api.live.terms.ping;
        let hello = command::hello(ping, self.api.live.terms.most_topics);
        self.say(socket, hello).await?;
        let (mut heard, mut pinged) = (clock.now(), clock.now());
        let mut tick = clock.sleep_until(clock.now() + reach::LOOK.min(ping));
        loop {
            tokio::select! {
                biased;
                () = self.api.closing.cancelled() => return Err(End::Close(AWAY, "the server is shutting down")),
                () = &mut tick => {
                    let now = clock.now();
                    if now - heard > ping * SILENT_PINGS {
                        return Err(End::Close(SILENT, "nothing came back for too long"));
                    }
                    self.check_caller().await?;
                    if now - pinged >= ping {
                        pinged = now;
                        self.send(socket, Message::Ping(bytes::Bytes::new())).await?;
                    }
                    tick = clock.sleep_until(now + reach::LOOK.min(ping));
                }
                message = socket.recv() => {
                    heard = clock.now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.obey(socket, &text).await?,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Binary(_))) => return Err(End::Close(UNSUPPORTED, "messages are texts")),
                        // Of a peer that is gone the word goes nowhere.
                        Some(Err(_)) => return Err(End::Close(PROTOCOL_ERROR, "the message is too large or breaks the protocol")),
                        Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
                    }
                }
                item = self.reader.next() => self.say(socket, veil::message(&self.veil, command::frame(&item))).await?,
            }
        }
    }

    async fn obey(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        let answer = match Command::parse(text) {
            Ok(Command::Ping) => Ok(command::pong()),
            Ok(Command::Subscribe { topic, after }) => self.subscribe(&topic, after.as_deref()).await,
            Ok(Command::Unsubscribe { topic }) => match topic.parse() {
                Ok(topic) => {
                    self.reader.unsubscribe(topic);
                    Ok(command::unsubscribed(topic))
                }
                Err(()) => Err(unknown(&topic)),
            },
            Err(reason) => Err(command::error("INVALID_REQUEST", reason, None)),
        };
        let answer = answer.or_else(|error| {
            self.errors += 1;
            if self.errors > MOST_ERRORS { Err(End::Close(POLICY, "too many messages made no sense")) } else { Ok(error) }
        })?;
        self.say(socket, answer).await
    }

    async fn subscribe(&mut self, name: &str, after: Option<&str>) -> Result<String, String> {
        let topic: Topic = name.parse().map_err(|()| unknown(name))?;
        let after = match after.map(|text| Place::parse(topic, text)) {
            Some(None) => return Err(command::error("INVALID_REQUEST", "\"after\" is no id that this topic gave", Some(name))),
            after => after.flatten(),
        };
        match self.reader.subscribe(topic, after).await {
            Ok(place) => Ok(command::subscribed(topic, place)),
            Err(refused) => {
                let problem = refusal(topic, refused);
                Err(command::error(&problem.code, &problem.detail, Some(name)))
            }
        }
    }

    /// A key that was removed or has run out reads no further.
    async fn check_caller(&mut self) -> Result<(), End> {
        match self.look_at_the_caller().await {
            Ok((veil, reach)) => {
                self.veil = veil;
                self.reader.look_again(reach.for_feeds());
                Ok(())
            }
            Err(problem) if problem.status.is_client_error() => Err(End::Close(REVOKED, "the API key is no longer valid")),
            // A store that does not answer just now takes nobody's right away.
            _ => Ok(()),
        }
    }

    async fn look_at_the_caller(&self) -> Refusable<(Veil, Reach)> {
        let (caller, reach) = reach::look_again(self.api, &self.identity).await?;
        Ok((veil::of(self.api, &caller).await?, reach))
    }

    async fn say(&self, socket: &mut WebSocket, text: String) -> Result<(), End> {
        self.send(socket, Message::Text(text.into())).await
    }

    /// A peer that does not take it in time is dropped: nothing is kept for it.
    async fn send(&self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let clock = &self.api.clock;
        match select(pin!(socket.send(message)), clock.sleep_until(clock.now() + self.api.live.terms.patience)).await {
            Either::Left((Ok(()), _)) => Ok(()),
            Either::Left((Err(_), _)) => Err(End::Gone),
            Either::Right(_) => {
                tracing::info!("a live reader took nothing for too long and was dropped");
                Err(End::Gone)
            }
        }
    }
}

fn unknown(name: &str) -> String {
    command::error("UNKNOWN_TOPIC", TOPICS, Some(name))
}

/// What a topic can be.
pub const TOPICS: &str = "a topic is runs, run:<id>, plan:<id>, schedules, notices or notifications";

/// Why a topic was not subscribed to.
pub fn refusal(topic: Topic, refused: Refused) -> Box<Problem> {
    match refused {
        Refused::Unknown => Problem::not_found(match topic {
            Topic::Run(id) => format!("run {id}"),
            Topic::Plan(id) => format!("plan {id}"),
            other => other.to_string(),
        }),
        Refused::TooManyTopics => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "TOO_MANY_TOPICS",
            "this reader follows as many topics as it may; leave one first",
        ),
        Refused::Full => too_many(),
        Refused::Store(error) => error.into(),
    }
}
