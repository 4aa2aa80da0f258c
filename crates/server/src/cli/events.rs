//! A server's event stream, as whole events.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::exit::Exit;
use super::failure::Failure;
use super::sse::{Reader, ServerEvent};

/// A server's events as they come.
pub(crate) struct Events {
    bytes: BoxStream<'static, Result<Bytes, Failure>>,
    reader: Reader,
    ready: VecDeque<ServerEvent>,
}

impl Events {
    pub(crate) fn of(bytes: BoxStream<'static, Result<Bytes, Failure>>) -> Events {
        Events { bytes, reader: Reader::default(), ready: VecDeque::new() }
    }

    /// The next event; `None` when the stream ended.
    pub(crate) async fn next(&mut self) -> Option<Result<ServerEvent, Failure>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.bytes.next().await? {
                Err(failure) => return Some(Err(failure)),
                Ok(bytes) => match self.reader.push(&bytes) {
                    Some(events) => self.ready.extend(events),
                    None => return Some(Err(Failure::new(Exit::Unreachable, "BAD_RESPONSE", "the server's event stream cannot be read"))),
                },
            }
        }
    }
}
