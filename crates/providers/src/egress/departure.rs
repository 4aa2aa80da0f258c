//! A request body that notices the moment its request begins to leave the process.
//!
//! hyper asks a body `is_end_stream` exactly when a live connection takes the request to write it (proto/h1/dispatch.rs,
//! proto/h2/client.rs), never earlier; a request that waits for a connection, or whose connection was found dead, was
//! not asked. That makes the difference between a fault that is proven unsent and one that is not.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use mainspring_model::action::Holds;

use super::gate::Pass;
use super::request::Request;
use super::stream::{Pieces, Streamed};

/// Seen from both sides: the caller reads it, the connection's task writes it.
pub(super) struct Departure {
    begun: AtomicBool,
    /// The attempt's own flag.
    sent: Arc<AtomicBool>,
    pass: Mutex<Option<Pass>>,
    /// Whether this process still holds the run.
    holds: Option<Holds>,
}

impl Departure {
    pub(super) fn new(sent: Arc<AtomicBool>, holds: Option<Holds>) -> Arc<Departure> {
        Arc::new(Departure { begun: AtomicBool::new(false), sent, pass: Mutex::default(), holds })
    }

    /// Between the hand-over to the connection and this moment the process may have been stopped for longer than its lease: what has
    /// not begun to leave is then somebody else's to send.
    fn may_begin(&self) -> bool {
        self.has_begun() || self.holds.as_ref().is_none_or(|holds| holds())
    }

    /// Keeps a place in the gate until the request begins to leave, or nobody waits for it any more.
    pub(super) fn hold(&self, pass: Pass) {
        *self.pass.lock().expect("nothing panics while the pass is held") = Some(pass);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    fn begin(&self) {
        if !self.begun.swap(true, Ordering::AcqRel) {
            self.sent.store(true, Ordering::Release);
            self.pass.lock().expect("nothing panics while the pass is held").take();
        }
    }
}

pub(super) struct DepartingBody {
    data: Bytes,
    /// After the data; behind a lock that nobody waits for, because a body is shared in name only.
    pieces: Option<Mutex<Pieces>>,
    /// Bytes that are to come of it.
    left: u64,
    departure: Arc<Departure>,
}

impl DepartingBody {
    pub(super) fn new(request: &Request, departure: Arc<Departure>) -> DepartingBody {
        match &request.stream {
            Some(Streamed { length, begin }) if *length > 0 => {
                DepartingBody { data: Bytes::new(), pieces: Some(Mutex::new(begin())), left: *length, departure }
            }
            _ => DepartingBody { data: request.body.clone().unwrap_or_default(), pieces: None, left: 0, departure },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.left == 0
    }
}

impl Body for DepartingBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if !self.departure.may_begin() {
            // The head stands in a buffer, and is thrown away with the connection.
            return Poll::Ready(Some(Err(std::io::Error::other("the run is another process's by now"))));
        }
        self.departure.begin();
        let data = std::mem::take(&mut self.data);
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let DepartingBody { pieces: Some(pieces), left, .. } = &mut *self else { return Poll::Ready(None) };
        let pieces = pieces.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        match std::task::ready!(pieces.as_mut().poll_next(cx)) {
            Some(Ok(piece)) if piece.len() as u64 <= *left => {
                *left -= piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None if *left == 0 => Poll::Ready(None),
            _ => Poll::Ready(Some(Err(std::io::Error::other("the body is not as long as it was said to be")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        // One without a body leaves with its head.
        if self.is_empty() || self.departure.may_begin() {
            self.departure.begin();
        }
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64 + self.left)
    }
}
