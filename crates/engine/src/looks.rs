//! Triggers that look for what is new: a look is claimed for a while, goes on apart from the schedules, and is settled with what it saw.
//!
//! A node that dies while it looks leaves the look to whoever comes when its claim is over. Each run's key is made of what it is started
//! by, so looking twice starts nothing twice; what was seen is kept after its runs are durable, so that nothing is passed over.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use mainspring_model::clock::Millis;
use mainspring_model::fault::Fault;
use mainspring_model::plan::trigger::{Trigger, TriggerKind};
use mainspring_model::store::{ScheduleRecord, StoreError, TriggerStanding, TriggerState};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::{Engine, Start, StartError};
use crate::plans::LoadedPlan;
use crate::run::serves;
use crate::scheduler::Rule;
use crate::triggers::{self, Sight};

/// Looks side by side in one process.
pub(crate) const LOOKS_AT_ONCE: usize = 32;
/// For how long a look is claimed, and how often that is renewed.
const LEASE: Millis = 10_000;
const RENEW: Millis = 3_000;
/// A look that found no place comes again after this.
const BUSY: Millis = 1_000;
/// For so long a look is left to the nodes that serve its plan.
const ELSEWHERE: Millis = 2_000;
/// After a failure, doubled with each further one.
const FIRST_DELAY: Millis = 30_000;
const LAST_DELAY: Millis = 3_600_000;
/// Runs started side by side.
const AT_ONCE: usize = 64;

/// What a look came to: what the trigger has seen now, or why nobody could look.
pub(crate) type Looked = Result<Value, Fault>;

/// A look at work.
pub(crate) struct Look<'l> {
    pub(crate) record: &'l ScheduleRecord,
    pub(crate) plan: &'l LoadedPlan,
    pub(crate) trigger: &'l Trigger,
    pub(crate) before: &'l TriggerState,
    claim: &'l Claim,
}

/// Until when the look is ours; the schedule's `next_due` says the same.
struct Claim(tokio::sync::Mutex<Millis>);

/// One that starts a run.
pub(crate) struct Find {
    /// Unlike that of every other find of the trigger.
    pub(crate) key: String,
    /// The root `trigger` of its run.
    pub(crate) seen: Value,
}

/// What became of a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Made,
    /// It has its run already.
    There,
    /// Its `if` is false, or its inputs do not fit.
    Passed,
}

impl Engine {
    /// Claims a look and begins it; the schedules do not wait for it. `false`: it is left to another node.
    pub(crate) async fn look(&self, record: &ScheduleRecord, due: Millis, now: Millis) -> Result<bool, StoreError> {
        let store = &self.0.store;
        if self.is_elsewhere(record).await? {
            // Whoever serves it has a moment to take it; after that it makes room for others.
            if now - due >= ELSEWHERE {
                store.skip_slots(record.id, due, None, Some(now + ELSEWHERE)).await?;
                return Ok(true);
            }
            return Ok(false);
        }
        let Ok(place) = self.0.looks.clone().try_acquire_owned() else {
            store.skip_slots(record.id, due, None, Some(now + BUSY)).await?;
            return Ok(true);
        };
        let until = now.max(due) + LEASE;
        if store.skip_slots(record.id, due, None, Some(until)).await? {
            let (engine, record) = (self.clone(), record.clone());
            tokio::spawn(async move { engine.look_and_settle(record, until, place).await });
        }
        Ok(true)
    }

    /// Whether the plan watches a folder of nodes that serve its tag, and this is none.
    async fn is_elsewhere(&self, record: &ScheduleRecord) -> Result<bool, StoreError> {
        let (store, tags) = (&self.0.store, &self.0.settings.tags);
        if tags.is_none() {
            return Ok(false);
        }
        let Some(plan) = store.get_plan(record.owner.org, record.plan).await? else { return Ok(false) };
        let plan = self.plan(&record.owner, plan.id, plan.version).await?;
        let watches =
            plan.plan.triggers.iter().any(|trigger| trigger.id == record.trigger && matches!(trigger.kind, TriggerKind::Folder(_)));
        Ok(watches && !serves(tags, plan.plan.tag.as_deref()))
    }

    async fn look_and_settle(self, record: ScheduleRecord, until: Millis, _place: OwnedSemaphorePermit) {
        let claim = Claim(tokio::sync::Mutex::new(until));
        let looked = tokio::select! {
            looked = self.look_once(&record, &claim) => looked,
            lost = self.keep_claim(&record, &claim) => lost,
        };
        match looked {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => {
                tracing::error!(schedule = %record.id, plan = %record.plan, trigger = record.trigger, %error, "a trigger could not look for what is new; it looks again shortly");
            }
        }
    }

    /// Renews the claim until it is lost: another one looks then, or the plan has changed.
    async fn keep_claim(&self, record: &ScheduleRecord, claim: &Claim) -> Result<(), StoreError> {
        loop {
            let clock = &self.0.clock;
            clock.sleep_until(clock.now() + RENEW).await;
            let mut until = claim.0.lock().await;
            let next = (clock.now() + LEASE).max(*until + 1);
            if !self.0.store.skip_slots(record.id, *until, None, Some(next)).await? {
                return Ok(());
            }
            *until = next;
        }
    }

    async fn look_once(&self, record: &ScheduleRecord, claim: &Claim) -> Result<(), StoreError> {
        let store = &self.0.store;
        let began = self.0.clock.now();
        let Some(plan) = store.get_plan(record.owner.org, record.plan).await? else { return Ok(()) };
        let plan = self.plan(&record.owner, plan.id, plan.version).await?;
        let Some(trigger) = plan.plan.triggers.iter().find(|trigger| trigger.id == record.trigger) else { return Ok(()) };
        let before = store.trigger_state(record.owner.org, record.plan, &record.trigger).await?.unwrap_or_default();
        let look = Look { record, plan: &plan, trigger, before: &before, claim };
        let mut again = None;
        let looked = match &trigger.kind {
            TriggerKind::Poll(poll) => self.poll(&look, poll).await?,
            TriggerKind::Email(email) => self.read_mail(&look, email, &mut again).await?,
            TriggerKind::Folder(folder) => self.watch(&look, folder, &mut again).await?,
            _ => return Ok(()),
        };
        let now = self.0.clock.now();
        let (state, next) = match looked {
            Ok(seen) => {
                let standing = TriggerStanding { worked_at: Some(began), ..TriggerStanding::default() };
                let next =
                    Rule::of(record).ok().and_then(|rule| rule.next_after(began)).map(|next| next.min(again.unwrap_or(next)).max(now + 1));
                (TriggerState { seen, standing }, next)
            }
            Err(fault) => {
                let failures = before.standing.failures.saturating_add(1);
                let wait =
                    delay(failures).max(fault.retry_after_ms.and_then(|wait| Millis::try_from(wait).ok()).unwrap_or(0).min(LAST_DELAY));
                tracing::warn!(plan = %record.plan, trigger = record.trigger, failures, code = %fault.code, error = fault.message, "a trigger could not look for what is new");
                let standing = TriggerStanding {
                    failures,
                    failing_since: before.standing.failing_since.or(Some(began)),
                    error: Some(json!({"code": fault.code, "message": fault.message})),
                    worked_at: before.standing.worked_at,
                };
                // What was seen may have been noted while it looked.
                let seen = store.trigger_state(record.owner.org, record.plan, &record.trigger).await?.unwrap_or_default().seen;
                (TriggerState { seen, standing }, Some(now + wait))
            }
        };
        let until = claim.0.lock().await;
        store.settle_trigger(record.id, *until, Some(began), next, &state).await?;
        Ok(())
    }

    /// Keeps what was seen up to now and goes on looking.
    ///
    /// # Errors
    /// `Closed` when the claim is lost.
    pub(crate) async fn note(&self, look: &Look<'_>, seen: Value) -> Result<(), StoreError> {
        let mut until = look.claim.0.lock().await;
        let next = (self.0.clock.now() + LEASE).max(*until + 1);
        let state = TriggerState { seen, standing: look.before.standing.clone() };
        if !self.0.store.settle_trigger(look.record.id, *until, None, Some(next), &state).await? {
            return Err(StoreError::Closed);
        }
        *until = next;
        Ok(())
    }

    /// Starts a run for each, unless it is there: durable when this returns. One whose `if` is false or whose inputs do not fit is passed
    /// over, and the log says so.
    pub(crate) async fn start_finds(&self, look: &Look<'_>, finds: Vec<Find>) -> Result<(), StoreError> {
        let mut started = stream::iter(finds).map(|find| self.start_find(look, find)).buffered(AT_ONCE);
        while let Some(one) = started.next().await {
            one?;
        }
        Ok(())
    }

    pub(crate) async fn start_find(&self, look: &Look<'_>, find: Find) -> Result<Begun, StoreError> {
        let Look { record, plan, trigger, .. } = look;
        let org = self.org_of_triggers(record.owner.org).await?;
        let sight = Sight { trigger: &find.seen, org: &org, now: self.0.clock.now() };
        let (inputs, burst) = match triggers::fired(plan.id, &plan.plan, trigger, sight) {
            Ok(Some(fired)) => fired,
            Ok(None) => return Ok(Begun::Passed),
            Err(refused) => {
                tracing::error!(plan = %record.plan, trigger = trigger.id, key = find.key, error = %refused, "something new started nothing: its inputs do not fit the plan");
                return Ok(Begun::Passed);
            }
        };
        let key = Some(format!("found/{}/{}/{}", record.plan, trigger.id, find.key));
        let start = Start {
            owner: record.owner,
            plan: LoadedPlan::clone(plan),
            inputs,
            trigger: find.seen,
            key,
            slot: None,
            parent: None,
            priority: None,
            burst,
        };
        let accepted = match self.start(start).await {
            Ok(mut handle) => handle.accepted().await.map(|run| run == handle.id),
            Err(error) => Err(error),
        };
        match accepted {
            Ok(made) => Ok(if made { Begun::Made } else { Begun::There }),
            Err(StartError::Draining) => Err(StoreError::Closed),
            Err(StartError::Store(error)) => Err(Arc::try_unwrap(error).unwrap_or_else(|error| StoreError::Failed(error.to_string()))),
            Err(refused) => {
                tracing::error!(plan = %record.plan, trigger = trigger.id, error = %refused, "something new started nothing: its run did not start");
                Ok(Begun::Passed)
            }
        }
    }
}

/// How long after so many failures in a row it is tried again.
fn delay(failures: u32) -> Millis {
    FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(LAST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn failures_are_waited_for_longer_and_longer() {
        let seconds: Vec<i64> = [1, 2, 3, 7, 8, u32::MAX].map(|failures| delay(failures) / 1_000).into();
        assert_eq!(seconds, [30, 60, 120, 1_920, 3_600, 3_600]);
    }
}
