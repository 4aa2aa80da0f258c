//! A request body that notices the moment its request begins to leave the process.
//!
//! hyper asks a body `is_end_stream` exactly when a live connection takes the request to write it (proto/h1/dispatch.rs,
//! proto/h2/client.rs), never earlier; a request that waits for a connection, or whose connection was found dead, was
//! not asked. That makes the difference between a fault that is proven unsent and one that is not.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::gate::Pass;

/// Seen from both sides: the caller reads it, the connection's task writes it.
pub(super) struct Departure {
    begun: AtomicBool,
    /// The attempt's own flag.
    sent: Arc<AtomicBool>,
    pass: Mutex<Option<Pass>>,
}

impl Departure {
    pub(super) fn new(sent: Arc<AtomicBool>) -> Arc<Departure> {
        Arc::new(Departure { begun: AtomicBool::new(false), sent, pass: Mutex::default() })
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
    pub data: Bytes,
    pub departure: Arc<Departure>,
}

impl Body for DepartingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.departure.begin();
        let data = std::mem::take(&mut self.data);
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.departure.begin();
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}
