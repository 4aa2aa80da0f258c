//! A run read back from the store: its header, its plan, its journal with all values in place, and its steps.

use std::sync::Arc;

use mainspring_engine::run::view::{self, StepView};
use mainspring_model::event::{Event, EventBody};
use mainspring_model::fault::Fault;
use mainspring_model::id::RunId;
use mainspring_model::plan::Plan;
use mainspring_model::run::{Ending, RunHeader, RunStatus, RunSummary};

use super::api::Api;
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use super::reach::Reach;

pub struct Seen {
    pub header: Arc<RunHeader>,
    pub summary: RunSummary,
    pub plan: Arc<Plan>,
    pub events: Vec<Event>,
    pub steps: Vec<StepView>,
}

impl Seen {
    pub fn ending(&self) -> Option<&Ending> {
        self.events.iter().rev().find_map(|event| match &event.body {
            EventBody::Finished(ending) => Some(ending),
            _ => None,
        })
    }

    pub fn status(&self) -> RunStatus {
        self.ending().map_or(self.summary.status, |ending| ending.status)
    }

    pub fn error(&self) -> Option<Fault> {
        self.ending().and_then(|ending| ending.error.clone())
    }
}

/// A run of the caller's organization with everything that it did, or 404.
pub async fn load(api: &Api, caller: &Caller, id: RunId) -> Refusable<Seen> {
    let summary = summary(api, caller, id).await?;
    let header = api.store.header(id).await?.ok_or_else(|| missing(id))?;
    let plan = api.engine.plan(&header.owner, header.plan_id, header.plan_version).await?.plan;
    let mut events = api.store.history(id).await?;
    mainspring_engine::hydrate(&*api.store, header.owner.org, &mut events).await?;
    let header = Arc::new(header);
    let steps = view::steps(&plan, &header, api.engine.keys(), &events).map_err(Problem::internal)?;
    Ok(Seen { header, summary, plan, events, steps })
}

/// A run's row, when it is the caller's organization's.
pub async fn summary(api: &Api, caller: &Caller, id: RunId) -> Refusable<RunSummary> {
    let reach = Reach::of(api, caller).await?;
    api.store.get_run(caller.owner.org, id).await?.filter(|run| reach.sees(run.plan_id)).ok_or_else(|| missing(id))
}

fn missing(id: RunId) -> Box<Problem> {
    Problem::not_found(format_args!("run {id}"))
}
