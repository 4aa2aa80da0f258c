//! What waits for a writer: drafts of run writes with who waits for them, and how a transaction's waiters are told.

use mainspring_model::store::{Committed, StoreError};
use tokio::sync::oneshot;

use super::draft::Draft;

/// A run's write and who waits for it.
pub(crate) struct RunJob {
    /// Boxed: a job changes its place several times on its way through the queue.
    pub(crate) draft: Box<Draft>,
    pub(crate) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

/// What a transaction's waiters are told, each exactly once: by [`Answers::give`], or by the drop if that never runs.
pub(crate) struct Answers {
    pub(crate) runs: Vec<RunJob>,
    pub(crate) verdicts: Vec<Result<Committed, StoreError>>,
}

/// So many waiters are woken by the writer itself.
const FEW: usize = 8;

impl Answers {
    /// Waking thousands of tasks and freeing their drafts takes about as long as judging them, and from a foreign thread each
    /// wake-up takes the scheduler's lock; so the callers' own runtime does it while the writer goes on.
    pub(crate) fn give(self, runtime: &tokio::runtime::Handle) {
        if self.runs.len() > FEW {
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for (job, verdict) in self.runs.drain(..).zip(self.verdicts.drain(..)) {
            // A waiter that went away has its write all the same.
            let _ = job.answer.send(verdict);
        }
    }
}

/// The same failure for another waiter of the same batch.
pub(crate) fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full { place } => StoreError::Full { place: place.clone() },
        StoreError::ReadOnly { place, reason } => StoreError::ReadOnly { place: place.clone(), reason: reason.clone() },
        StoreError::Unreachable { place, reason } => StoreError::Unreachable { place: place.clone(), reason: reason.clone() },
        StoreError::Busy { place, reason } => StoreError::Busy { place: place.clone(), reason: reason.clone() },
        StoreError::Denied { place, reason } => StoreError::Denied { place: place.clone(), reason: reason.clone() },
        StoreError::Rights(text) => StoreError::Rights(text.clone()),
        StoreError::Closed => StoreError::Closed,
        StoreError::Failed(text) => StoreError::Failed(text.clone()),
        other => StoreError::Failed(other.to_string()),
    }
}
