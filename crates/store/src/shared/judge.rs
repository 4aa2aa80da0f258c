//! The fence, as one pure function: may this write still happen to a run that stands so, and how does it stand after.

use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::StoreError;

use super::draft::{Draft, Stand};
use crate::sabotage::{Switch, is_on};

/// What a write is judged by: the few facts of a run's row and journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known<P> {
    /// Where the run's rows are, in the terms of its database.
    pub(crate) place: P,
    pub(crate) status: RunStatus,
    pub(crate) epoch: i64,
    /// Of the last journal row; 0 without one.
    pub(crate) seq: u32,
    /// Crashes were counted since the last finished step.
    pub(crate) crashed: bool,
    pub(crate) parent: Option<RunId>,
}

/// The epoch of a run that waits to be claimed: no process has it, so every write is late.
pub(crate) const UNHELD: i64 = 0;

/// How a run's row changes by the accepted writes of one batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) stand: Option<Stand>,
    pub(crate) calms: bool,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Accepted,
    Late,
    /// A bug of the caller: the journal would get a gap or a second row of the same `seq`.
    Refused(StoreError),
}

/// Judges one write and, when it is accepted, moves `known` and `change` on by it.
pub(crate) fn judge<P>(known: &mut Known<P>, change: &mut Change, draft: &Draft) -> Verdict {
    let held = known.epoch == draft.epoch || is_on(Switch::NoFencing);
    if known.status.is_terminal() || !held {
        return Verdict::Late;
    }
    if let Some(first) = draft.rows.first()
        && known.seq.checked_add(1) != Some(first.seq)
    {
        return Verdict::Refused(StoreError::Failed(format!(
            "the write for run {} is refused: its journal ends at {} and the write begins at {}",
            draft.run, known.seq, first.seq
        )));
    }
    if let Some(last) = draft.rows.last() {
        known.seq = last.seq;
    }
    if draft.calms && known.crashed {
        known.crashed = false;
        change.calms = true;
    }
    // A held run that stays held changes nothing in its row: the row is written twice in a run's life, not at every step.
    if draft.stand.status != RunStatus::Running || known.status != RunStatus::Running {
        known.status = draft.stand.status;
        change.stand = Some(draft.stand.clone());
        if matches!(known.status, RunStatus::Queued | RunStatus::Paused) {
            // Given back, or put down: it is nobody's until it is claimed.
            known.epoch = UNHELD;
        }
    }
    Verdict::Accepted
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::draft::{DraftRow, HELD};
    use super::*;

    fn known(status: RunStatus) -> Known<()> {
        Known { place: (), status, epoch: 7, seq: 3, crashed: true, parent: None }
    }

    fn draft(epoch: i64, seqs: &[u32], status: RunStatus) -> Draft {
        let rows = seqs.iter().map(|seq| DraftRow { seq: *seq, at: 0, attempt: None, body: Arc::from("{}") }).collect();
        let stand = Stand { status, ..HELD };
        Draft { run: RunId(uuid::Uuid::nil()), epoch, birth: None, rows, blobs: vec![], stand, state: None, calms: true, size: 0 }
    }

    #[test]
    fn another_epoch_or_an_ended_run_is_late_and_changes_nothing() {
        for (status, epoch) in [(RunStatus::Running, 6), (RunStatus::Running, 8), (RunStatus::Success, 7), (RunStatus::NeedsDecision, 7)] {
            let (mut run, mut change) = (known(status), Change::default());
            assert!(matches!(judge(&mut run, &mut change, &draft(epoch, &[4], RunStatus::Running)), Verdict::Late));
            assert_eq!((run, change), (known(status), Change::default()));
        }
    }

    #[test]
    fn a_gap_and_a_second_row_are_refused() {
        for seq in [1, 3, 5, u32::MAX] {
            let (mut run, mut change) = (known(RunStatus::Running), Change::default());
            assert!(matches!(judge(&mut run, &mut change, &draft(7, &[seq], RunStatus::Running)), Verdict::Refused(_)));
            assert_eq!((run, change), (known(RunStatus::Running), Change::default()));
        }
    }

    #[test]
    fn a_run_that_was_given_back_is_nobodys() {
        let (mut run, mut change) = (known(RunStatus::Running), Change::default());
        assert!(matches!(judge(&mut run, &mut change, &draft(7, &[], RunStatus::Queued)), Verdict::Accepted));
        assert!(matches!(judge(&mut run, &mut change, &draft(7, &[4], RunStatus::Running)), Verdict::Late));
        assert_eq!((run.status, run.epoch), (RunStatus::Queued, UNHELD));
    }

    #[test]
    fn writes_follow_one_another_until_the_run_ends() {
        let (mut run, mut change) = (known(RunStatus::Running), Change::default());
        assert!(matches!(judge(&mut run, &mut change, &draft(7, &[4, 5], RunStatus::Running)), Verdict::Accepted));
        assert_eq!(change, Change { stand: None, calms: true });
        assert!(matches!(judge(&mut run, &mut change, &draft(7, &[6], RunStatus::Success)), Verdict::Accepted));
        assert_eq!(change.stand.as_ref().map(|stand| stand.status), Some(RunStatus::Success));
        assert!(matches!(judge(&mut run, &mut change, &draft(7, &[7], RunStatus::Running)), Verdict::Late));
        assert_eq!(run.seq, 6);
    }
}
