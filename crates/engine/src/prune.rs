//! Retention: finished runs that are no longer kept go in small batches, so that nobody waits for them.

use std::sync::atomic::Ordering;

use crate::engine::Engine;

/// Runs removed in one transaction.
const BATCH: u32 = 200;
/// Between two looks, in milliseconds.
const EVERY: i64 = 60_000;

impl Engine {
    /// Prunes now and then until the engine drains.
    pub async fn serve_retention(&self) {
        let inner = &self.0;
        while !inner.draining.load(Ordering::Acquire) {
            inner.clock.sleep_until(inner.clock.now().saturating_add(EVERY)).await;
            loop {
                match inner.store.prune(&inner.settings.retention, BATCH).await {
                    Ok(0) => break,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => {
                        tracing::error!(%error, "old runs could not be removed; trying again in a minute");
                        break;
                    }
                }
            }
        }
    }
}
