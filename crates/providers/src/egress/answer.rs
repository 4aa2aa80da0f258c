//! An answer whose head has come: its body is read through the counter, under the call's deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use http::{HeaderMap, StatusCode, header};
use mainspring_model::action::Keeps;
use mainspring_model::id::OrgId;
use mainspring_model::{Code, Effected, Fault};
use url::Url;

use super::decode::Decoder;
use super::fault::{Phase, broken_body, timed_out, undecodable};
use super::large::{LARGE, Places};
use super::target::Place;

/// What a service answered after all redirects.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Where the answer came from, without the secret part of the query.
    pub url: Url,
    pub place: Place,
    /// A redirect led to another origin, so credentials and body stayed behind.
    pub stripped: bool,
    pub(super) body: Body,
}

/// Packed bytes that are decoded at once: fewer while they become many, since deflate makes a thousand of each at most.
pub(super) const AT_ONCE: usize = 1 << 10;
const AT_ONCE_LEAST: usize = 1 << 6;
const AT_ONCE_MOST: usize = 1 << 14;
/// What is to come of them, in bytes.
const COMES: usize = 64 << 10;

pub(super) struct Body {
    pub response: reqwest::Response,
    /// Taken when the body has ended.
    pub decoder: Option<Decoder>,
    /// What has come and was not decoded yet.
    pub wire: Bytes,
    /// How many bytes of it are decoded next.
    pub step: usize,
    pub cap: usize,
    pub read: usize,
    pub deadline: BoxFuture<'static, ()>,
    pub timeout: Duration,
    pub large: Large,
}

/// Where an answer that is large finds its place.
pub(super) struct Large {
    pub places: Arc<Places>,
    pub org: OrgId,
    pub keeps: Keeps,
}

impl Answer {
    /// The next decompressed bytes; `None` at the end.
    ///
    /// # Errors
    /// `TIMEOUT`, `CONNECTION_FAILED` when the body breaks off, `PAYLOAD_TOO_LARGE` over the cap, `BAD_RESPONSE` when
    /// its compression is damaged; all `sent`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let result = self.next().await;
        if result.is_err() {
            // Neither the body nor the deadline may be asked again once it failed; what follows an error is the end.
            self.body.decoder = None;
        }
        result
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let Body { response, decoder, wire, step, cap, read, deadline, timeout, .. } = &mut self.body;
        loop {
            let Some(decoding) = decoder.as_mut() else { return Ok(None) };
            let chunk = if !wire.is_empty() {
                Some(std::mem::take(wire))
            } else {
                match select(std::pin::pin!(response.chunk()), &mut *deadline).await {
                    Either::Left((Ok(chunk), _)) => chunk,
                    Either::Left((Err(_), _)) => return Err(broken_body(&self.place, *read)),
                    Either::Right(((), _)) => return Err(timed_out(&self.place, *timeout, Phase::Reading(*read))),
                }
            };
            let out = match chunk {
                Some(mut chunk) => {
                    // A little at a time, because a little can be a thousand times as much.
                    if !decoding.is_plain() && chunk.len() > *step {
                        *wire = chunk.split_off(*step);
                    }
                    decoding.push(chunk).inspect(|out| {
                        let next = if out.len() > COMES { *step / 2 } else { *step * 2 };
                        *step = next.clamp(AT_ONCE_LEAST, AT_ONCE_MOST);
                    })
                }
                None => match decoder.take() {
                    Some(decoding) => decoding.finish(),
                    None => return Ok(None),
                },
            };
            let out = out.map_err(|error| undecodable(&self.place, &error, *cap))?;
            *read += out.len();
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Answer::chunk`]; an answer that declares more than the cap is refused before it is read.
    pub async fn bytes(&mut self) -> Result<Bytes, Fault> {
        let declared = self.body.response.content_length().and_then(|length| usize::try_from(length).ok());
        let declared = declared.filter(|_| self.body.decoder.as_ref().is_some_and(Decoder::is_plain));
        if declared.is_some_and(|length| length > self.body.cap) {
            return Err(undecodable(&self.place, &super::decode::DecodeError::TooLarge, self.body.cap));
        }
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        // Joined once all is there: a buffer that grows as it is filled would be three times as large at its worst, and for nothing
        // when the end is that it is too much.
        let mut chunks = vec![first, second];
        while self.body.read <= LARGE {
            let Some(chunk) = self.chunk().await? else { return Ok(chunks.concat().into()) };
            chunks.push(chunk);
        }
        self.find_place().await?;
        // Of one whose length is known no more than that is ever held.
        if let Some(length) = declared {
            let mut all = Vec::with_capacity(length);
            chunks.drain(..).for_each(|chunk| all.extend_from_slice(&chunk));
            while let Some(chunk) = self.chunk().await? {
                all.extend_from_slice(&chunk);
            }
            return Ok(all.into());
        }
        while let Some(chunk) = self.chunk().await? {
            chunks.push(chunk);
        }
        Ok(chunks.concat().into())
    }

    /// Waits until a large body may be read on; what was not read stays at its sender.
    async fn find_place(&mut self) -> Result<(), Fault> {
        let Body { large, read, deadline, timeout, decoder, .. } = &mut self.body;
        match select(std::pin::pin!(large.places.take(large.org, &large.keeps)), &mut *deadline).await {
            Either::Left(((), _)) => Ok(()),
            Either::Right(((), _)) => {
                *decoder = None;
                Err(timed_out(&self.place, *timeout, Phase::Reading(*read)))
            }
        }
    }

    /// The body's beginning, as far as it can be read: what a fault shows of an error page.
    pub async fn beginning(&mut self, limit: usize) -> Bytes {
        let mut all = BytesMut::new();
        while all.len() < limit {
            match self.chunk().await {
                Ok(Some(chunk)) => all.extend_from_slice(&chunk[..chunk.len().min(limit - all.len())]),
                Ok(None) | Err(_) => break,
            }
        }
        all.freeze()
    }

    /// Decompressed bytes read so far.
    #[expect(clippy::len_without_is_empty, reason = "it counts what was read; an answer is not a collection")]
    pub fn len(&self) -> usize {
        self.body.read
    }

    /// `application/json` of `application/json; charset=utf-8`, in lower case; empty when the service did not say.
    pub fn media_type(&self) -> String {
        media_type(&self.headers)
    }

    /// A fault about this answer, which by having come proves that the request was seen.
    pub fn fault(&self, code: Code, text: impl std::fmt::Display) -> Fault {
        Fault::new(code, format!("{} {text}", self.place)).effect(Effected::Sent)
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Bytes as text, by the charset that the answer names, else UTF-8 with replacement characters.
pub fn text(headers: &HeaderMap, bytes: Bytes) -> String {
    // Only an answer in another charset pays for the detour through reqwest's decoder.
    let utf8 = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.to_ascii_lowercase().split_once("charset=").map(|(_, name)| name.trim_matches('"').starts_with("utf-8")))
        .unwrap_or(true);
    if !utf8 {
        let mut response = http::Response::new(bytes.clone());
        *response.headers_mut() = headers.clone();
        // The body is there already, so its reading never waits.
        if let Some(Ok(text)) = reqwest::Response::from(response).text().now_or_never() {
            return text;
        }
    }
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return String::from_utf8_lossy(rest).into_owned();
    }
    // Not copied where it is nobody else's.
    String::from_utf8(bytes.into()).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
