//! `run.previous`: the plan's run before this one, as the new one remembers it for good.

use mainspring_model::event::INLINE_LIMIT;
use mainspring_model::id::{OrgId, PlanId};
use mainspring_model::run::RunSummary;
use mainspring_model::store::{Paging, RunFilter, StoreError};
use serde_json::{Value, json};

use crate::bursts::is_merged;
use crate::engine::Inner;
use crate::run::rfc3339;

/// Under which a run's trigger carries it: it is part of what the run was born with, so that every replay sees the same.
pub(crate) const PREVIOUS: &str = "run_previous";

/// Runs that are looked through for one that has ended: few at first, then many, for a burst may have a thousand firings. Of a plan with
/// more than so many live ones, none is the one before.
const PAGES: u32 = 12;
const FIRST: u32 = 10;
const PAGE: u32 = 200;

impl Inner {
    /// The newest run of the plan that has ended, or null.
    pub(crate) async fn previous(&self, org: OrgId, plan: PlanId) -> Result<Value, StoreError> {
        let filter = RunFilter { plan: Some(plan), ..RunFilter::default() };
        let mut paging = Paging { limit: FIRST, cursor: None };
        for _ in 0..PAGES {
            let page = self.store.list_runs(org, &filter, &paging).await?;
            if let Some(run) = page.items.into_iter().find(|run| run.finished_at.is_some() && !is_merged(run)) {
                return self.shown(run).await;
            }
            if page.next_cursor.is_none() {
                break;
            }
            paging = Paging { limit: PAGE, cursor: page.next_cursor };
        }
        Ok(Value::Null)
    }

    async fn shown(&self, run: RunSummary) -> Result<Value, StoreError> {
        let mut shown = json!({
            "id": run.id,
            "status": run.status,
            "started_at": rfc3339(run.created_at),
            "finished_at": run.finished_at.map(rfc3339),
            "output": run.output,
        });
        if run.output.is_none()
            && let Some(blob) = self.store.ending(run.id).await?.and_then(|ending| ending.blob)
        {
            let note =
                format!("the output has {} bytes and at most {INLINE_LIMIT} are carried on; keep what you need with state.set", blob.size);
            shown["note"] = Value::String(note);
        }
        Ok(shown)
    }
}
