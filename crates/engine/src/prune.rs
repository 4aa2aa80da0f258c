//! Retention: finished runs that are no longer kept go in small batches, so that nobody waits for them.

use std::sync::atomic::Ordering;

use mainspring_model::store::{SIGNAL_KEPT, StoreError};

use crate::engine::Engine;

/// Runs, or signals, removed in one transaction.
const BATCH: u32 = 200;
/// Between two looks, in milliseconds.
const EVERY: i64 = 60_000;
/// Old signals and state go at every so-manieth look: the first one, and then hourly.
const SIGNALS_EVERY: u32 = 60;

impl Engine {
    /// Prunes now and then until the engine drains.
    pub async fn serve_retention(&self) {
        let inner = &self.0;
        let mut looks: u32 = 0;
        // What an earlier process was writing when it died.
        in_batches("files", || inner.store.sweep_files()).await;
        while !inner.draining.load(Ordering::Acquire) {
            inner.clock.sleep_until(inner.clock.now().saturating_add(EVERY)).await;
            if looks.is_multiple_of(SIGNALS_EVERY) {
                let before = inner.clock.now().saturating_sub(SIGNAL_KEPT);
                in_batches("signals", || inner.store.prune_signals(before, BATCH)).await;
                in_batches("turns", || inner.store.prune_turns(BATCH)).await;
                in_batches("state", || inner.store.prune_state(BATCH)).await;
            }
            looks = looks.wrapping_add(1);
            in_batches("runs", || inner.store.prune(&inner.settings.retention, BATCH)).await;
        }
    }
}

/// Until nothing old is left, or the store refuses: the next look tries again.
async fn in_batches<Gone: Future<Output = Result<u64, StoreError>>>(what: &str, batch: impl Fn() -> Gone) {
    loop {
        match batch().await {
            Ok(0) => return,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::error!(%error, "old {what} could not be removed; trying again later");
                return;
            }
        }
    }
}
