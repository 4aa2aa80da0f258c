//! The gate before effects: what others see begins only while this process is sure that it holds the run.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::future::BoxFuture;

use crate::engine::Inner;

/// Does the work of an attempt. Until something was `sent` it goes on only while `epoch` is trusted, and waits otherwise; `None`
/// when the epoch is over, so that the run is somebody else's and nothing of it began here.
///
/// Looked at before every poll and not only once: a process that was stopped while it looked a name up, or opened a connection,
/// must not go on from there. An attempt that has sent something is left alone: stopping it undoes nothing and would make a result
/// that may still count into one that nobody knows. When it is too late, the fence refuses it.
pub(crate) async fn within_trust<T>(inner: &Inner, epoch: i64, sent: &AtomicBool, work: impl Future<Output = T>) -> Option<T> {
    let store = &*inner.store;
    let mut work = pin!(work);
    let mut waiting: Option<BoxFuture<'_, bool>> = None;
    poll_fn(|cx| {
        loop {
            if let Some(trusted) = &mut waiting {
                match trusted.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Ready(true) => waiting = None,
                }
            }
            if sent.load(Ordering::Acquire) || store.trusts(epoch) {
                return work.as_mut().poll(cx).map(Some);
            }
            inner.meter.withheld();
            waiting = Some(store.trusted(epoch));
        }
    })
    .await
}
