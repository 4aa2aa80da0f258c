//! Bursts as both databases keep them: states, and what a closing writes.

use mainspring_model::burst::{Closing, Firing, Gather, HeldFor, Open};
use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::store::{BurstEnd, StoreError};
use uuid::Uuid;

use super::flow::REFUSED;
use super::json::{damaged, json, text_of};

/// Why a run does not begin, in the place of its policy.
pub(crate) const UNFIT: &str = "unfit";
/// Firings that one look at a burst reads. What comes after them is seen by the next.
pub(crate) const READ: i64 = 20_000;

pub(crate) fn gather_text(gather: Gather) -> Result<String, StoreError> {
    text_of(&gather)
}

pub(crate) fn firing(id: Uuid, at: Millis, bytes: i64) -> Firing {
    Firing { id: RunId(id), at, bytes: u64::try_from(bytes).unwrap_or(0) }
}

pub(crate) fn open(opened_at: Millis, due_at: Millis, firings: i64, bytes: i64) -> Result<Open, StoreError> {
    let firings = u32::try_from(firings).map_err(|_| damaged("a count of firings"))?;
    Ok(Open { opened_at, due_at, firings, bytes: u64::try_from(bytes).map_err(|_| damaged("a size of firings"))? })
}

pub(crate) fn bytes_of(open: &Open) -> i64 {
    i64::try_from(open.bytes).unwrap_or(i64::MAX)
}

/// What a reader is told of a queued run.
pub(crate) fn held_for(gather: Option<&str>, due_at: Option<Millis>) -> Result<Option<HeldFor>, StoreError> {
    match (gather, due_at) {
        (Some(gather), Some(until)) => Ok(Some(HeldFor { by: json::<Gather>(gather)?.by(), until })),
        _ => Ok(None),
    }
}

/// Whether a burst that is about to close is still what was read of it.
pub(crate) fn is_same(closing: Option<&Closing>, end: &BurstEnd) -> bool {
    match closing {
        None => end.begins.is_none(),
        Some(closing) => end.begins == Some(closing.begins) && end.merged == closing.merged,
    }
}

/// The state and the policy that the run which begins has from now on.
pub(crate) fn state_of(end: &BurstEnd) -> (Option<&'static str>, Option<&'static str>) {
    match &end.flow {
        _ if end.unfit => (Some(REFUSED), Some(UNFIT)),
        Some(flow) => (Some("held"), Some(flow.policy.as_str())),
        None => (None, None),
    }
}

pub(crate) fn texts_of(end: &BurstEnd) -> Result<(Option<String>, Option<String>), StoreError> {
    Ok((end.trigger.as_ref().map(text_of).transpose()?, end.inputs.as_ref().map(text_of).transpose()?))
}
