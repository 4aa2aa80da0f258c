//! Limits on live runs, and pauses: what a run is born with, when others are let begin, and the end of those that are not.

use std::sync::Arc;

use mainspring_model::expr::Fuel;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::flow::{Flow, Policy, Reason, Refusal, key_of};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::plan::Plan;
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{Claimed, StoreError};
use serde_json::{Value, json};

use crate::bursts::merged;
use crate::driver::Signal;
use crate::engine::{Engine, Inner};
use crate::triggers::{Sight, TriggerScope};

/// Keys that one look for missed admissions goes through; the next look goes on after them.
const KEYS: u32 = 200;
/// Looks at pauses for each one at admissions.
const ADMISSIONS: u64 = 5;
/// Decisions about one key in a row, each over a page of runs.
const PAGES: usize = 200;

impl Engine {
    /// Makes a run lie down when it has no step under way, and start none before. Durable when this returns. `false` when it has ended
    /// or is being cancelled.
    ///
    /// # Errors
    /// `NotFound` and the store's.
    pub async fn pause(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        let asked = self.0.store.request_pause(org, run).await?;
        if asked {
            self.0.signal(run, Signal::Pause);
            self.0.watchers.changed(org, run);
        }
        Ok(asked)
    }

    /// Lets a paused run go on; what came due meanwhile is served now. `false` when it is not paused.
    ///
    /// # Errors
    /// `NotFound` and the store's.
    pub async fn resume(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        let resumed = self.0.store.resume(org, run).await?;
        if resumed {
            self.0.watchers.changed(org, run);
            // One that was paused before it began stands in its line again.
            self.0.admit_of(run).await;
        }
        Ok(resumed)
    }

    /// Finds, for as long as it is polled, what nobody was told of: pauses that were asked for and limits that were set elsewhere, and
    /// admissions and free places that were missed because a process died between the end of a run and what follows from it.
    pub(crate) async fn look_at_flow(&self) {
        let (mut after, mut after_org) = (None, None);
        for look in 0_u64.. {
            if let Err(error) = self.0.learn_places().await {
                tracing::warn!(%error, "limits of organizations could not be read; trying again");
            }
            match self.0.store.pause_requests().await {
                Ok(runs) => runs.into_iter().for_each(|run| self.0.signal(run, Signal::Pause)),
                Err(error) => tracing::warn!(%error, "pauses could not be read; trying again"),
            }
            if look.is_multiple_of(ADMISSIONS) {
                after = self.look_at_held(after).await;
                after_org = self.0.look_at_places(after_org).await;
            }
            self.0.clock.sleep_until(self.next_look(None)).await;
        }
    }

    /// Gives where to go on.
    async fn look_at_held(&self, after: Option<(OrgId, String)>) -> Option<(OrgId, String)> {
        let keys = match self.0.store.held_keys(after.as_ref(), KEYS).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%error, "runs that are held back could not be read; trying again");
                return after;
            }
        };
        for (org, key) in &keys {
            self.0.admit(*org, key).await;
        }
        if keys.len() < KEYS as usize { None } else { keys.into_iter().next_back() }
    }
}

impl Inner {
    /// The limit that a new run stands under.
    pub(crate) fn flow_of(&self, plan: &Plan, header: &RunHeader) -> Result<Option<Flow>, Fault> {
        let Some(limits) = &plan.concurrency else { return Ok(None) };
        let key = match &limits.key {
            Some(template) => {
                let sight = Sight { trigger: &header.trigger, org: &header.org, now: header.created_at };
                template.eval(&TriggerScope { sight, more: &[("inputs", &header.inputs)] }, &mut Fuel::default())?
            }
            None => Value::Null,
        };
        Ok(Some(Flow { key: key_of(header.plan_id, &key), limit: limits.limit, policy: limits.policy }))
    }

    /// Lets those of a key begin whose turn it is. A failure is logged: whoever looks at keys with held runs does it again.
    pub(crate) async fn admit(&self, org: OrgId, key: &str) {
        for _ in 0..PAGES {
            match self.store.admit(org, key).await {
                Ok(admitted) => {
                    let by = "the plan's concurrency";
                    admitted.cancelled.iter().for_each(|run| self.pass_cancel(*run, by, false));
                    admitted.told.iter().for_each(|run| self.signal(*run, Signal::Arrived));
                    if !admitted.more {
                        return;
                    }
                }
                Err(error) => return tracing::warn!(%error, "who is next could not be decided; trying again"),
            }
        }
    }

    /// As [`Inner::admit`], after a run of the key has ended.
    pub(crate) async fn admit_after(&self, plan: &Plan, header: &RunHeader) {
        // It was evaluated when the run was born, from what it was born with.
        if let Ok(Some(flow)) = self.flow_of(plan, header) {
            self.admit(header.owner.org, &flow.key).await;
        }
    }

    async fn admit_of(&self, run: RunId) {
        let Ok(Some(header)) = self.store.header(run).await else { return };
        let plan = self.plans.get(&*self.store, &*self.catalog, &header.owner, header.plan_id, header.plan_version).await;
        if let Ok(Some(plan)) = plan {
            self.admit_after(&plan, &header).await;
        }
    }

    /// Ends a run that was held back and will not begin: none of its steps runs, `finally` neither.
    pub(crate) async fn end_refused(self: &Arc<Self>, claimed: &Claimed, refusal: Refusal) {
        let id = claimed.header.id;
        let ending = match (refusal.reason, refusal.by) {
            (Reason::Unfit, _) => match self.unfit(&claimed.header).await {
                Ok(ending) => ending,
                Err(error) => {
                    tracing::warn!(run_id = %id, %error, "why a batch does not fit could not be read; it goes back to the queue");
                    return self.give_back(id, claimed.epoch);
                }
            },
            (Reason::Gathered(by), Some(run)) => merged(run, by),
            (Reason::Limit(policy), by) => ending_of(policy, by),
            (Reason::Cancelled | Reason::Gathered(_), _) => ending_of(Policy::Queue, None),
        };
        let ended = match refusal.reason {
            // What its firing asked for is done by the run that it names, and that one's end is heard.
            Reason::Gathered(_) => self.write_end(id, claimed.epoch, ending).await,
            _ => self.end_with(id, claimed.epoch, ending).await,
        };
        if let Err(error) = ended {
            tracing::error!(run_id = %id, %error, "a run that does not begin could not be ended; it goes back to the queue");
            return self.give_back(id, claimed.epoch);
        }
        self.watchers.changed(claimed.header.owner.org, id);
        if refusal.by.is_none() {
            // It may have been let begin by its plan's limit before its organization had a place for it.
            self.admit_of(id).await;
        }
        if let Some((parent, _)) = &claimed.header.parent {
            self.signal(*parent, Signal::Child);
        }
    }
}

fn ending_of(policy: Policy, by: Option<RunId>) -> Ending {
    let cancelled = |code: Code, message: String, by: Option<RunId>| {
        let fault = Fault::new(code, message).class(Class::Limit);
        let fault = match by {
            Some(run) => fault.details(json!({"run": run})),
            None => fault,
        };
        Ending { status: RunStatus::Cancelled, output: Value::Null, blob: None, error: Some(fault) }
    };
    match (policy, by) {
        (_, None) => cancelled(Code::CANCELLED, "it was cancelled before it began".to_owned(), None),
        (Policy::Deliver, Some(run)) => {
            Ending { status: RunStatus::Success, output: json!({"delivered_to": run}), blob: None, error: None }
        }
        (Policy::CancelRunning, Some(run)) => cancelled(
            Code::CONCURRENCY_LIMIT,
            format!("it was not begun: run {run} came after it, and the plan's concurrency lets the newest go on"),
            Some(run),
        ),
        (Policy::Queue | Policy::Skip, Some(run)) => cancelled(
            Code::CONCURRENCY_LIMIT,
            format!("it was not begun: run {run} is live, and the plan's concurrency skips a run over its limit"),
            Some(run),
        ),
    }
}
