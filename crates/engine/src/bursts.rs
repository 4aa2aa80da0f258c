//! Bursts: firings that wait for others, their closing when it is due, and the end of those that another run was begun for.

use std::sync::Arc;

use mainspring_model::burst::{Gather, Gathered, batch_trigger};
use mainspring_model::clock::Millis;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::flow::Flow;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::plan::Plan;
use mainspring_model::run::{Ending, RunHeader, RunStatus, RunSummary};
use mainspring_model::store::{BurstEnd, NewRun, Ripe, StoreError};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::driver::Progress;
use crate::engine::{Engine, Inner, RunHandle, StartError};
use crate::previous::PREVIOUS;
use crate::run::Run;
use crate::spans::STARTED_BY;
use crate::triggers::{self, Refused, Sight};
use crate::variables::has_mark;

/// Bursts that one look closes before others are looked for.
const AT_ONCE: u32 = 100;
/// Readings of one burst in a row: it may change between reading and closing.
const TRIES: usize = 5;
/// What a run's trigger carries beside what its trigger saw.
const NOTES: [&str; 2] = [PREVIOUS, STARTED_BY];

impl Engine {
    /// Closes bursts when they are due, for as long as it is polled.
    pub(crate) async fn look_at_bursts(&self) {
        loop {
            let gathered = self.0.gathered.notified();
            let next = match self.close_bursts().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "bursts of firings could not be read; trying again");
                    None
                }
            };
            tokio::select! {
                biased;
                () = gathered => {}
                () = self.0.clock.sleep_until(self.next_look(next)) => {}
            }
        }
    }

    /// Closes the bursts that are due, as [`Engine::serve_claims`] does by itself; gives when there is more to close.
    ///
    /// # Errors
    /// The store's, when it could not be asked which ones are due.
    pub async fn close_bursts(&self) -> Result<Option<Millis>, StoreError> {
        let found = self.0.store.due_bursts(AT_ONCE).await?;
        let (mut closed, due) = (0, found.due.len());
        for (org, key) in found.due {
            match self.0.close_burst(org, &key).await {
                Ok(true) => closed += 1,
                // More come as fast as it is looked at: again at once, between two of them.
                Ok(false) => self.0.gathered.notify_one(),
                Err(error) => tracing::error!(org_id = %org, %error, "a burst of firings could not be closed; trying again"),
            }
        }
        // Where none could be closed, looking again at once would go on for as long as a disk is full.
        Ok(found.next.filter(|_| closed > 0 || due == 0))
    }
}

impl Inner {
    /// Makes a firing durable that waits for others; nobody drives its run before the burst closes.
    pub(crate) fn gather(self: &Arc<Self>, plan: &Arc<Plan>, new: NewRun) -> Result<RunHandle, StartError> {
        if let Some(Gather::Debounce { .. }) = new.burst.as_ref().map(|burst| burst.gather) {
            // It is known what it would begin with: what is wrong with that is said to whoever fired.
            Run::new(plan.clone(), new.header.clone(), self.keys.clone())?;
            self.flow_of(plan, &new.header)?;
        }
        let (id, tag) = (new.header.id, plan.tag.clone());
        let (progress, watching) = watch::channel(Progress::default());
        let inner = self.clone();
        tokio::spawn(async move { inner.enqueue(id, Arc::new(new), Vec::new(), tag, progress).await });
        Ok(RunHandle { id, leaves: true, progress: watching })
    }

    /// `false`: it changed each time between reading and closing.
    async fn close_burst(&self, org: OrgId, key: &str) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let Some(ripe) = self.store.ripe_burst(org, key).await? else { return Ok(true) };
            let end = self.end_of(org, key, ripe).await?;
            if !self.store.close_burst(&end).await? {
                continue;
            }
            if let Some(run) = end.begins {
                self.watchers.changed(org, run);
            }
            if let Some(flow) = end.flow.filter(|_| !end.unfit) {
                self.admit(org, &flow.key).await;
            }
            return Ok(true);
        }
        Ok(false)
    }

    async fn end_of(&self, org: OrgId, key: &str, ripe: Ripe) -> Result<BurstEnd, StoreError> {
        let mut end = BurstEnd {
            org,
            key: key.to_owned(),
            begins: ripe.begins.as_ref().map(|header| header.id),
            merged: ripe.merged,
            trigger: None,
            inputs: None,
            flow: None,
            unfit: false,
        };
        let Some(mut header) = ripe.begins else { return Ok(end) };
        let plan = match self.plan_of(&header).await {
            Ok(plan) => plan,
            Err(StoreError::Invalid(_)) => None,
            Err(error) => return Err(error),
        };
        if let Gather::Batch { .. } = ripe.gather {
            header.trigger = batch_trigger(&ripe.triggers, &NOTES);
            if plan.as_ref().is_some_and(|plan| plan.reads_previous) {
                header.trigger[PREVIOUS] = self.previous(org, header.plan_id).await?;
            }
            end.trigger = Some(header.trigger.clone());
        }
        match plan.map(|plan| self.born_of_burst(&plan, header)) {
            Some(Ok((inputs, flow))) => (end.inputs, end.flow) = (inputs, flow),
            _ => end.unfit = true,
        }
        Ok(end)
    }

    async fn plan_of(&self, header: &RunHeader) -> Result<Option<Arc<Plan>>, StoreError> {
        self.plans.get(&*self.store, &*self.catalog, &header.owner, header.plan_id, header.plan_version).await
    }

    /// What the run of a burst is born with and the limit that it stands under. It follows from the header alone, so that what is wrong with it
    /// can be said again.
    fn born_of_burst(&self, plan: &Arc<Plan>, mut header: RunHeader) -> Result<(Option<Value>, Option<Flow>), Fault> {
        let mut inputs = None;
        if header.trigger["batch"].is_array() {
            let id = header.trigger["id"].as_str().unwrap_or_default();
            let missing = || Fault::internal(format!("the plan has no trigger \"{id}\" any more"));
            let trigger = plan.triggers.iter().find(|trigger| trigger.id == id).ok_or_else(missing)?;
            let org = plain(&header.org);
            let given = triggers::given(plan, trigger, Sight { trigger: &header.trigger, org: &org, now: header.created_at });
            header.inputs = given.map_err(unfit)?;
            inputs = Some(header.inputs.clone());
        }
        let flow = self.flow_of(plan, &header)?;
        Run::new(plan.clone(), Arc::new(header), self.keys.clone())?;
        Ok((inputs, flow))
    }

    /// The end of a run that was begun for a batch and cannot be born.
    ///
    /// # Errors
    /// The store's, when the plan cannot be read now.
    pub(crate) async fn unfit(&self, header: &RunHeader) -> Result<Ending, StoreError> {
        let fault = match self.plan_of(header).await {
            Ok(Some(plan)) => match self.born_of_burst(&plan, header.clone()) {
                Err(fault) => fault,
                Ok(_) => Fault::internal("what the batch gave did not fit the plan when it closed"),
            },
            Ok(None) | Err(StoreError::Invalid(_)) => {
                Fault::internal(format!("plan {} version {} is gone", header.plan_id, header.plan_version))
            }
            Err(error) => return Err(error),
        };
        Ok(Ending { status: RunStatus::Error, output: Value::Null, blob: None, error: Some(fault) })
    }
}

/// The organization's variables that are no secrets, as a trigger sees them.
fn plain(org: &Value) -> Value {
    let fields = org.as_object().into_iter().flatten().filter(|(_, value)| !has_mark(value));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

fn unfit(refused: Refused) -> Fault {
    match refused {
        Refused::Fault(fault) => Fault { message: format!("the inputs of the batch: {}", fault.message), ..fault },
        Refused::Inputs(problems) => {
            let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let message = format!("what the batch gives does not fit the plan's inputs: {}", text.join("; "));
            Fault::new(Code::INVALID_INPUT, message).details(json!({"problems": problems.len()}))
        }
    }
}

const DEBOUNCED: &str = "debounced_into";
const BATCHED: &str = "batched_into";

/// The end of a firing that another run was begun for.
pub(crate) fn merged(into: RunId, by: Gathered) -> Ending {
    let name = match by {
        Gathered::Debounce => DEBOUNCED,
        Gathered::Batch => BATCHED,
    };
    Ending { status: RunStatus::Success, output: json!({name: into}), blob: None, error: None }
}

/// Whether a run that has ended looks like one that [`merged`] ended.
pub(crate) fn is_merged(run: &RunSummary) -> bool {
    let output = run.output.as_ref().and_then(Value::as_object);
    output.is_some_and(|output| output.len() == 1 && (output.contains_key(DEBOUNCED) || output.contains_key(BATCHED)))
}
