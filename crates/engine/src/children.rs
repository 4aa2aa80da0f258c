//! Plans that are called by others: found, judged and started, once per step.

use std::sync::Arc;

use mainspring_model::fault::{Code, Fault};
use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::role::Permission;
use mainspring_model::run::RunHeader;
use mainspring_model::store::{Store, StoreError};
use mainspring_model::trace::TraceContext;
use serde_json::{Value, json};

use crate::driver::HOLD;
use crate::engine::{Inner, Start, StartError};
use crate::inner::passes;
use crate::plans::LoadedPlan;

impl Inner {
    /// Starts the plan that a `logic.call` step names, once per step path. That the store was away for a while is no failure of the
    /// step: it is asked until it answers. `None`: the parent's `epoch` is over, and whoever holds it now calls the plan.
    pub(crate) async fn start_child(
        self: &Arc<Self>,
        parent: &RunHeader,
        epoch: i64,
        path: &str,
        plan: &str,
        inputs: Value,
        by: Option<TraceContext>,
    ) -> Option<Result<RunId, Fault>> {
        loop {
            // The child would be made under this process's present epoch, whatever became of the parent's: it is asked here.
            if !self.store.trusted(epoch).await {
                return None;
            }
            match Box::pin(self.try_child(parent, path, plan, &inputs, by)).await {
                Ok(run) => return Some(Ok(run)),
                Err(StartError::Fault(fault)) => return Some(Err(fault)),
                Err(StartError::Store(error)) if passes(&error) => {
                    tracing::error!(%error, "a plan could not be called; trying again");
                    self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
                }
                Err(error) => return Some(Err(Fault::internal(error.to_string()))),
            }
        }
    }

    async fn try_child(
        self: &Arc<Self>,
        parent: &RunHeader,
        path: &str,
        plan: &str,
        inputs: &Value,
        by: Option<TraceContext>,
    ) -> Result<RunId, StartError> {
        let found = match plan.parse() {
            Ok(id) => self.store.get_plan(parent.owner.org, id).await?,
            Err(_) => self.store.plan_by_name(parent.owner.org, plan).await?,
        };
        let missing = || Fault::invalid_params(format!("there is no plan \"{plan}\" to call; write a plan's name or id"));
        let record = found.ok_or_else(missing)?;
        if !reaches(&*self.store, &parent.owner, record.id).await? {
            return Err(missing().into());
        }
        if record.version == 0 {
            let message = format!("the plan \"{plan}\" is a draft; publish it before it is called");
            return Err(Fault::new(Code::NOT_PUBLISHED, message).into());
        }
        let checked = self.plans.get(&*self.store, &*self.catalog, &parent.owner, record.id, record.version).await?;
        let checked = checked.ok_or_else(|| Fault::internal(format!("plan \"{plan}\" has no version {}", record.version)))?;
        let inputs = checked.inputs.accept(inputs).map_err(|problems| {
            let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Fault::new(Code::INVALID_INPUT, format!("the inputs do not fit \"{plan}\": {}", text.join("; ")))
        })?;
        let mut trigger = json!({"type": "call", "run_id": parent.id, "step": path});
        self.spans.note(&mut trigger, by);
        let start = Start {
            owner: parent.owner,
            plan: LoadedPlan { id: record.id, version: record.version, plan: checked },
            inputs,
            trigger,
            // However often it is started, it is one run.
            key: Some(format!("call/{}/{path}", parent.id)),
            slot: None,
            parent: Some((parent.id, path.to_owned())),
            priority: None,
            burst: None,
        };
        self.start(start).await?.accepted().await
    }
}

/// Whether a run's owner reaches a plan as it is shared now. A private one is not there for others, whichever plan calls it.
pub(crate) async fn reaches(store: &dyn Store, owner: &Owner, plan: PlanId) -> Result<bool, StoreError> {
    match store.sharing(owner.org, plan).await? {
        Some(sharing) if !sharing.is_for(owner.user) => {
            let role = store.role_of(owner.user, owner.org).await?;
            // The local owner has no record before somebody else can be a member.
            Ok(role.map_or(*owner == Owner::LOCAL, |role| role.may(Permission::PlanDelete)))
        }
        _ => Ok(true),
    }
}
