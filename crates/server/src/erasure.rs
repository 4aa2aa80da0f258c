//! The end of organizations: their runs are stopped, and when their time has come every row of theirs goes, batch by batch.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Erasure, Paging, RunFilter, StoreError};

use crate::app::App;

/// Between two looks for organizations whose time has come, in milliseconds. A removal that a crash cut off goes on then too.
const LOOK: Millis = 30_000;
/// Between two tries while runs still end.
const AGAIN: Millis = 1_000;
/// Tries before the next look has it.
const TRIES: u32 = 120;
/// Rows of one transaction.
const BATCH: u32 = 500;

/// Removes organizations whose time has come, for as long as the process serves.
pub async fn serve(app: Arc<App>) {
    loop {
        match app.store.erasures_due().await {
            Ok(due) => {
                for org in due {
                    erase(&app, org).await;
                }
            }
            Err(error) => tracing::warn!(%error, "organizations to be removed could not be read; trying again"),
        }
        app.clock.sleep_until(app.clock.now().saturating_add(LOOK)).await;
    }
}

/// Asks every run of an organization to end.
///
/// # Errors
/// The store's.
pub async fn stop_runs(app: &App, org: OrgId, by: &str) -> Result<(), StoreError> {
    for status in [RunStatus::Queued, RunStatus::Waiting, RunStatus::Running] {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        let mut paging = Paging { limit: 200, cursor: None };
        loop {
            let page = app.store.list_runs(org, &filter, &paging).await?;
            for run in &page.items {
                match app.engine.cancel(org, run.id, by).await {
                    // One that has ended or was removed meanwhile is what is wanted.
                    Ok(_) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            paging.cursor = page.next_cursor;
            if paging.cursor.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Removes everything of an organization whose time has come. Whatever cuts it off, the next look goes on with it.
pub async fn erase(app: &App, org: OrgId) {
    // What this process knows of its keys goes before the rows do.
    app.audit.flush().await;
    app.vault.forget(org);
    let mut tries = 0;
    loop {
        match app.store.erase(org, BATCH).await {
            Ok(Erasure::Removed(_)) => tokio::task::yield_now().await,
            Ok(Erasure::Gone) => {
                tracing::info!(org_id = %org, "an organization was removed");
                app.live.plans_changed(org);
                return;
            }
            Ok(Erasure::Held(left)) => {
                tries += 1;
                if tries > TRIES {
                    tracing::warn!(org_id = %org, left, "an organization is not removed yet: runs of it still end; trying again");
                    return;
                }
                if let Err(error) = stop_runs(app, org, "removal of the organization").await {
                    tracing::warn!(org_id = %org, %error, "runs of an organization could not be stopped; trying again");
                }
                app.clock.sleep_until(app.clock.now().saturating_add(AGAIN)).await;
            }
            Err(error) => {
                tracing::error!(org_id = %org, %error, "an organization could not be removed; trying again");
                return;
            }
        }
    }
}
