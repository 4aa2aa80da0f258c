//! Figures that have to be asked of the store: taken every ten seconds, so that no reader of them costs the store anything.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;

use crate::app::App;

/// Between looks, in milliseconds.
const LOOK: Millis = 10_000;

/// Looks again and again. Never ends; drop it at shutdown.
pub async fn sample(app: Arc<App>) {
    loop {
        match look(&app).await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::debug!(%error, "the queue could not be counted"),
        }
        app.clock.sleep_until(app.clock.now() + LOOK).await;
    }
}

async fn look(app: &App) -> Result<(), StoreError> {
    let backlog = app.store.backlog().await?;
    let due = app.store.next_due().await?;
    let since = |at: Option<Millis>| at.map_or(0.0, |at| (app.clock.now() - at).max(0) as f64 / 1_000.0);
    app.metrics.queued.set(i64::try_from(backlog.queued).unwrap_or(i64::MAX));
    app.metrics.queue_age.set(since(backlog.oldest));
    app.metrics.schedule_lag.set(since(due));
    Ok(())
}
