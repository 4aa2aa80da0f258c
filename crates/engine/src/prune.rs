//! Retention: finished runs that are no longer kept go in small batches, so that nobody waits for them.

use std::sync::atomic::Ordering;

use crate::engine::Engine;

/// Runs removed in one transaction.
const BATCH: u32 = 200;
/// Between two looks, in milliseconds.
const EVERY: i64 = 60_000;
/// How long signals are kept, in milliseconds.
const SIGNALS_KEPT: i64 = 30 * 86_400_000;
/// Old signals go at every so-manieth look: the first one, and then hourly.
const SIGNALS_EVERY: u32 = 60;

impl Engine {
    /// Prunes now and then until the engine drains.
    pub async fn serve_retention(&self) {
        let inner = &self.0;
        let mut looks: u32 = 0;
        while !inner.draining.load(Ordering::Acquire) {
            inner.clock.sleep_until(inner.clock.now().saturating_add(EVERY)).await;
            if looks.is_multiple_of(SIGNALS_EVERY)
                && let Err(error) = inner.store.prune_signals(inner.clock.now().saturating_sub(SIGNALS_KEPT)).await
            {
                tracing::error!(%error, "old signals could not be removed; trying again in an hour");
            }
            looks = looks.wrapping_add(1);
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
