//! Runs that are held back, as both databases keep them: states, and how a claim reads them.

use mainspring_model::burst::Gathered;
use mainspring_model::flow::{HeldRun, Policy, Reason, Refusal};
use mainspring_model::id::RunId;
use mainspring_model::store::StoreError;
use uuid::Uuid;

use super::bursts::UNFIT;

pub(crate) const REFUSED: &str = "refused";

/// Why a claimed run will not begin; `None` for all others. One that was cancelled before its organization had a place for it may have
/// no policy.
pub(crate) fn refusal(state: Option<&str>, policy: Option<&str>, by: Option<Uuid>) -> Result<Option<Refusal>, StoreError> {
    if state != Some(REFUSED) {
        return Ok(None);
    }
    let gathered = [Gathered::Debounce, Gathered::Batch].into_iter().find(|gathered| Some(gathered.as_str()) == policy);
    let reason = match (gathered, policy) {
        (Some(gathered), _) => Reason::Gathered(gathered),
        (None, Some(UNFIT)) => Reason::Unfit,
        // It waited for others, and under no limit yet.
        (None, None) => Reason::Cancelled,
        (None, policy) => Reason::Limit(self::policy(policy)?),
    };
    Ok(Some(Refusal { reason, by: by.map(RunId) }))
}

pub(crate) fn held(id: Uuid, limit: i64, policy: Option<&str>) -> Result<HeldRun, StoreError> {
    let limit = u32::try_from(limit).map_err(|_| damaged("a limit"))?;
    Ok(HeldRun { id: RunId(id), limit, policy: self::policy(policy)? })
}

fn policy(text: Option<&str>) -> Result<Policy, StoreError> {
    text.and_then(Policy::parse).ok_or_else(|| damaged("a policy"))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Invalid(format!("{what} of a run that is held back is damaged"))
}

/// Who asked for the end of a live run that another takes the place of.
pub(crate) fn made_way(held: RunId) -> String {
    format!("run {held}, by the plan's concurrency")
}
