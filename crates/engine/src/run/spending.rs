//! The plan's budget for language models: taken before each call, in the journal, and settled when the call ends.

use std::collections::{HashMap, HashSet};

use mainspring_model::budget::{Reserved, Spent};
use mainspring_model::event::{AttemptStatus, Attempted};
use mainspring_model::fault::{Code, Effected, Fault};
use mainspring_model::plan::{ActionStep, StepKind};
use serde_json::{Map, Value};

use super::Run;
use super::state::Addr;

/// What a run used of its budget.
#[derive(Default)]
pub(super) struct Spending {
    settled: Spent,
    /// Of calls whose end is not recorded, by path.
    open: HashMap<String, Reserved>,
    /// Reserved by this process for a call that it is about to make.
    fresh: HashSet<String>,
}

impl Run {
    /// What to reserve before the call of this unit, whose params are worked out; `None` when nothing has to be, or was just now.
    pub(super) fn reservation(&mut self, addr: Addr, path: &str, params: &Value) -> Result<Option<Reserved>, Fault> {
        let Some(budget) = self.plan.budget else { return Ok(None) };
        let Some(most) = self.model_step(addr).and_then(|step| step.model) else { return Ok(None) };
        if self.spending.fresh.remove(path) {
            return Ok(None);
        }
        let reserved = budget.reserve(self.spent(), most(params));
        let reserved = reserved.map_err(|refused| Fault::new(Code::BUDGET_EXCEEDED, refused.to_string()).effect(Effected::Unsent))?;
        self.spending.fresh.insert(path.to_owned());
        Ok(Some(reserved))
    }

    fn model_step(&self, addr: Addr) -> Option<&ActionStep> {
        match &self.plan.step(self.step_ix(addr)?).kind {
            StepKind::Action(action) => Some(action),
            StepKind::Body(_) => None,
        }
    }

    /// What was used, and what calls under way may use.
    pub fn spent(&self) -> Spent {
        let mut all = self.spending.settled;
        self.spending.open.values().for_each(|open| all += open.spent());
        all
    }

    /// A reservation was recorded. One that is open there already belongs to a call whose end nobody heard: it may have been made.
    pub(super) fn reserve(&mut self, path: &str, reserved: Reserved) {
        if let Some(lost) = self.spending.open.insert(path.to_owned(), reserved) {
            self.spending.settled += lost.spent();
        }
    }

    /// The call that was reserved for waits for its turn, and was not made.
    pub(super) fn return_reserved(&mut self, path: &str) {
        self.spending.open.remove(path);
        self.spending.fresh.remove(path);
    }

    /// An attempt ended: what it used takes the place of what was reserved.
    pub(super) fn settle(&mut self, attempted: &Attempted) {
        self.spending.fresh.remove(&attempted.path);
        let Some(reserved) = self.spending.open.remove(&attempted.path) else { return };
        let used = match &attempted.error {
            // A service that answered with an error charges nothing; the call counts all the same. An answer that broke off was charged.
            Some(fault) => match fault.effect {
                Effected::Unsent => Spent::default(),
                Effected::Sent if fault.code.http_status().is_some() => reserved.settled(0, 0),
                Effected::Sent | Effected::Unknown => reserved.spent(),
            },
            None if attempted.status == AttemptStatus::Cancelled => reserved.spent(),
            None if attempted.metadata.get("cached") == Some(&Value::Bool(true)) => Spent::default(),
            None => usage(&attempted.metadata).map_or(reserved.spent(), |(sent, answered)| reserved.settled(sent, answered)),
        };
        self.spending.settled += used;
    }
}

/// Tokens sent and answered, as the service counted them.
fn usage(metadata: &Map<String, Value>) -> Option<(u64, u64)> {
    let usage = metadata.get("usage")?;
    Some((usage.get("prompt_tokens")?.as_u64()?, usage.get("completion_tokens")?.as_u64()?))
}
