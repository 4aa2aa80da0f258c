//! The writer's memory between transactions, and what one transaction adds to it once it is committed.

use std::collections::HashMap;

use mainspring_model::id::{OrgId, PlanId, RunId};
use mainspring_model::run::RunStatus;
use sqlx::SqliteConnection;

use super::births;
use super::error::Fail;
use crate::shared::group::Verdicts;
use crate::shared::judge::Known;
use crate::shared::turns::Turns;

/// The numbers that stand for a run's ids in its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) no: i64,
    pub(super) org_no: i64,
    pub(super) plan_no: i64,
}

/// What the writer remembers between transactions, true as long as this process is the only one that drives runs.
pub(super) struct Ledger {
    pub(super) epoch: i64,
    /// Runs that this process holds. Nobody else changes what is known of them, so that a step's write asks nothing first.
    pub(super) held: HashMap<RunId, Known<Numbers>>,
    orgs: HashMap<OrgId, i64>,
    plans: HashMap<PlanId, i64>,
    pub(super) turns: Turns,
}

/// Numbers beyond this many are forgotten and asked again: a bound on memory, not on plans.
const MOST_NUMBERS: usize = 100_000;

/// What a transaction did, to be told and remembered once it is committed.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) verdicts: Verdicts,
    pub(super) held: Vec<(RunId, Known<Numbers>)>,
    orgs: Vec<(OrgId, i64)>,
    plans: Vec<(PlanId, i64)>,
    /// There may be a run to claim.
    pub(super) arrived: bool,
}

impl Ledger {
    pub(super) fn new(epoch: i64) -> Ledger {
        Ledger { epoch, held: HashMap::new(), orgs: HashMap::new(), plans: HashMap::new(), turns: Turns::default() }
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
        if self.orgs.len() + self.plans.len() > MOST_NUMBERS {
            self.orgs.clear();
            self.plans.clear();
        }
        self.orgs.extend(effects.orgs);
        self.plans.extend(effects.plans);
        effects.verdicts
    }

    pub(super) async fn org_no(&self, org: OrgId, effects: &mut Effects, connection: &mut SqliteConnection) -> Result<i64, Fail> {
        let new = effects.orgs.iter().find(|(id, _)| *id == org).map(|(_, no)| *no);
        if let Some(no) = self.orgs.get(&org).copied().or(new) {
            return Ok(no);
        }
        let no = births::number_of_org(org, connection).await?;
        effects.orgs.push((org, no));
        Ok(no)
    }

    pub(super) async fn plan_no(&self, plan: PlanId, effects: &mut Effects, connection: &mut SqliteConnection) -> Result<i64, Fail> {
        let new = effects.plans.iter().find(|(id, _)| *id == plan).map(|(_, no)| *no);
        if let Some(no) = self.plans.get(&plan).copied().or(new) {
            return Ok(no);
        }
        let no = births::number_of_plan(plan, connection).await?;
        effects.plans.push((plan, no));
        Ok(no)
    }
}
