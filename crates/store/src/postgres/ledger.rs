//! A writer's memory between transactions: the runs that this node holds.

use std::collections::HashMap;

use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::run::RunStatus;

use crate::shared::group::Verdicts;
use crate::shared::judge::Known;
use crate::shared::turns::Turns;

/// What a run's rows are found by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) org: OrgId,
    pub(super) plan: PlanId,
}

/// True as long as the node's own row is there: nobody else changes what is known of a run that it holds, so that a step's
/// write asks nothing first. A new epoch forgets all.
pub(super) struct Ledger {
    pub(super) epoch: i64,
    pub(super) held: HashMap<RunId, Known<Place>>,
    pub(super) turns: Turns,
}

/// What a transaction did, to be told and remembered once it is committed.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) verdicts: Verdicts,
    pub(super) held: Vec<(RunId, Known<Place>)>,
    /// There may be a run to claim.
    pub(super) arrived: bool,
}

impl Ledger {
    pub(super) fn new(epoch: i64) -> Ledger {
        Ledger { epoch, held: HashMap::new(), turns: Turns::default() }
    }

    /// Before a transaction: under another epoch than before nothing that is remembered of runs holds.
    pub(super) fn turn_to(&mut self, epoch: i64) {
        if self.epoch != epoch {
            *self = Ledger { turns: std::mem::take(&mut self.turns), ..Ledger::new(epoch) };
        }
    }

    /// A run that was claimed just now, by another connection.
    pub(super) fn learn(&mut self, run: RunId, known: Known<Place>) {
        if self.epoch != 0 && known.epoch == self.epoch {
            self.held.insert(run, known);
        }
    }

    /// After the commit. Gives the answers in the order of the drafts.
    pub(super) fn apply(&mut self, effects: Effects) -> Verdicts {
        for (run, known) in effects.held {
            if known.status == RunStatus::Running && known.epoch == self.epoch && self.epoch != 0 {
                self.held.insert(run, known);
            } else {
                self.held.remove(&run);
            }
        }
        effects.verdicts
    }
}
