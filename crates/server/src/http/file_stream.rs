//! A body that is read piece by piece, and that must keep coming.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::StatusCode;
use http_body_util::BodyExt;
use mainspring_model::clock::Clock;
use mainspring_model::file::FILE_CHUNK;

use super::problem::{Problem, Refusable};

/// Every piece of a file must have arrived within this long, in milliseconds: a slow caller holds a place among those that write.
const PIECE_WITHIN: i64 = 60_000;

pub struct Steady {
    body: Body,
    clock: Arc<dyn Clock>,
    until: i64,
    /// Bytes since then.
    since: usize,
}

impl Steady {
    pub fn new(body: Body, clock: Arc<dyn Clock>) -> Steady {
        let until = clock.now() + PIECE_WITHIN;
        Steady { body, clock, until, since: 0 }
    }

    /// `None` at its end.
    pub async fn next(&mut self) -> Refusable<Option<Bytes>> {
        loop {
            let late = self.clock.sleep_until(self.until);
            let frame = match select(pin!(self.body.frame()), pin!(late)).await {
                Either::Left((frame, _)) => frame,
                Either::Right(_) => {
                    let detail = format!("the body stood still: {FILE_CHUNK} bytes must come within {} s", PIECE_WITHIN / 1_000);
                    return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail));
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| Problem::malformed("the body broke off; nothing of it is kept"))?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.since += bytes.len();
            if self.since >= FILE_CHUNK {
                (self.since, self.until) = (0, self.clock.now() + PIECE_WITHIN);
            }
            return Ok(Some(bytes));
        }
    }

    /// What was not read.
    pub fn rest(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}
