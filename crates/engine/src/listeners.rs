//! Triggers that listen: each signal of their topic starts a run once, whatever dies in between.
//!
//! A signal makes them due in the transaction that keeps it, and they stay due until it was looked at. The run's key is made of the
//! signal's id, so looking twice starts nothing twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId, SignalId};
use mainspring_model::plan::trigger::{PlanEnd, Trigger, TriggerKind};
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::store::{LISTENS, NewSignal, ScheduleRecord, SignalRecord, StoreError};
use mainspring_model::wait::ENDS;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::children::reaches;
use crate::engine::{Engine, Inner, Start, StartError};
use crate::plans::LoadedPlan;
use crate::run::rfc3339;
use crate::signals::uuid_of;
use crate::triggers::{self, Sight};

/// Signals looked at in one go.
const PAGE: u32 = 200;
/// Runs started side by side.
const AT_ONCE: usize = 64;
/// For how long it is remembered whether anybody listens to the ends of runs, in milliseconds.
const REMEMBERED: Millis = 500;
/// An end that was announced and has not come is looked for again after a second, for so long; a run that goes on after that, in another
/// process, announces its end anew.
const AGAIN: Millis = 1_000;
const AWAITED: Millis = 3_600_000;

/// Organizations with somebody who listens to the ends of runs, as far as that was asked lately.
#[derive(Default)]
pub(crate) struct EndListeners(Mutex<HashMap<OrgId, Arc<Asked>>>);

/// When it was asked last, and whether anybody listened. One asks, and whoever comes meanwhile waits for that answer: hundreds of runs end
/// at once.
type Asked = tokio::sync::Mutex<Option<(Millis, bool)>>;

/// What became of one signal for one trigger.
enum Heard {
    /// Its run is there, or it is nothing for this trigger.
    Settled,
    /// The run that it tells of has not ended yet.
    NotYet,
}

/// The topic of a schedule that listens.
pub(crate) fn topic_of(record: &ScheduleRecord) -> Option<&str> {
    record.expression.strip_prefix(LISTENS)
}

impl Engine {
    /// Starts what the signals ask for that came since this trigger looked last.
    pub(crate) async fn hear(&self, record: &ScheduleRecord, topic: &str, due: Millis) -> Result<(), StoreError> {
        let store = &self.0.store;
        let Some(plan) = store.get_plan(record.owner.org, record.plan).await? else { return Ok(()) };
        let plan = self.plan(&record.owner, plan.id, plan.version).await?;
        let trigger = plan.plan.triggers.iter().find(|trigger| trigger.id == record.trigger);
        let (mut after, mut upto, mut waits_from) = (None, record.last_due, None);
        loop {
            let page = store.signals(record.owner.org, topic, record.last_due.unwrap_or(0), after, PAGE).await?;
            let Some(last) = page.last().map(|signal| (signal.received_at, signal.id)) else { break };
            let full = page.len() == PAGE as usize;
            if let Some(trigger) = trigger {
                let (engine, plan) = (self, &plan);
                let looked = stream::iter(page)
                    .map(async |signal: SignalRecord| (signal.received_at, engine.hear_one(record, plan, trigger, &signal).await));
                let looked: Vec<_> = looked.buffered(AT_ONCE).collect().await;
                for (at, heard) in looked {
                    if matches!(heard?, Heard::NotYet) && waits_from.is_none() {
                        waits_from = Some(at);
                    }
                }
            }
            upto = waits_from.or(Some(last.0));
            after = Some(last.1);
            if !full {
                break;
            }
        }
        if waits_from.is_some() {
            let again = self.0.clock.now().saturating_add(AGAIN);
            store.skip_slots(record.id, due, upto, Some(again)).await?;
        } else {
            store.heard(record.id, due, upto).await?;
        }
        Ok(())
    }

    async fn hear_one(
        &self,
        record: &ScheduleRecord,
        plan: &LoadedPlan,
        trigger: &Trigger,
        signal: &SignalRecord,
    ) -> Result<Heard, StoreError> {
        let (seen, id) = match &trigger.kind {
            TriggerKind::Event { event_type } => {
                let event = json!({"id": signal.id, "type": event_type, "data": signal.data, "received_at": rfc3339(signal.received_at)});
                (json!({"id": trigger.id, "type": "event", "event": event}), signal.id.to_string())
            }
            TriggerKind::PlanEnd(wanted) => match self.end_seen(record, trigger, wanted, signal).await? {
                End::Seen(seen, run) => (seen, run.to_string()),
                End::NotOurs => return Ok(Heard::Settled),
                End::NotYet => return Ok(Heard::NotYet),
            },
            _ => return Ok(Heard::Settled),
        };
        let org = self.org_of_triggers(record.owner.org).await?;
        let sight = Sight { trigger: &seen, org: &org, now: self.0.clock.now() };
        let (inputs, burst) = match triggers::fired(plan.id, &plan.plan, trigger, sight) {
            Ok(Some(fired)) => fired,
            Ok(None) => return Ok(Heard::Settled),
            Err(refused) => {
                tracing::error!(plan = %record.plan, trigger = trigger.id, signal = %signal.id, error = %refused, "an event started nothing: its inputs do not fit the plan");
                return Ok(Heard::Settled);
            }
        };
        let key = Some(format!("heard/{}/{}/{id}", record.plan, trigger.id));
        let start =
            Start { owner: record.owner, plan: plan.clone(), inputs, trigger: seen, key, slot: None, parent: None, priority: None, burst };
        let accepted = match self.start(start).await {
            Ok(mut handle) => handle.accepted().await.map(drop),
            Err(error) => Err(error),
        };
        match accepted {
            Ok(()) => {}
            Err(StartError::Draining) => return Err(StoreError::Closed),
            Err(StartError::Store(error)) => return Err(StoreError::Failed(error.to_string())),
            Err(refused) => {
                tracing::error!(plan = %record.plan, trigger = trigger.id, signal = %signal.id, error = %refused, "an event started nothing: its run did not start");
            }
        }
        Ok(Heard::Settled)
    }

    /// The end of a run as a trigger sees it.
    async fn end_seen(
        &self,
        record: &ScheduleRecord,
        trigger: &Trigger,
        wanted: &PlanEnd,
        signal: &SignalRecord,
    ) -> Result<End, StoreError> {
        let Some(run) = signal.data["run_id"].as_str().and_then(|id| Uuid::try_parse(id).ok()).map(RunId) else { return Ok(End::NotOurs) };
        let store = &self.0.store;
        let late = self.0.clock.now().saturating_sub(signal.received_at) > AWAITED;
        let not_yet = if late { End::NotOurs } else { End::NotYet };
        let Some(header) = store.header(run).await? else { return Ok(not_yet) };
        if header.plan_id == record.plan || !is_wanted(wanted, &header) {
            return Ok(End::NotOurs);
        }
        // What a private plan did is nobody's to hear who may not look at it.
        if !reaches(&**store, &record.owner, header.plan_id).await? {
            return Ok(End::NotOurs);
        }
        let Some(ending) = store.ending(run).await? else { return Ok(not_yet) };
        if wanted.failed_only && matches!(ending.status, RunStatus::Success | RunStatus::Cancelled) {
            return Ok(End::NotOurs);
        }
        let mut chain: Vec<Value> = header.trigger["chain"].as_array().cloned().unwrap_or_default();
        chain.push(json!(header.plan_id));
        if chain.contains(&json!(record.plan)) {
            tracing::warn!(
                plan = %record.plan, trigger = trigger.id, ended = %run, %header.plan_name,
                "a trigger was not followed: the run that ended goes back to a run of the same plan, and would start it for ever"
            );
            return Ok(End::NotOurs);
        }
        let kind = if wanted.failed_only { "plan_failed" } else { "plan_finished" };
        let data = json!({
            "run_id": run, "plan_id": header.plan_id, "plan_name": header.plan_name, "status": ending.status, "output": ending.output,
            "error": ending.error,
        });
        let event = json!({"id": run, "type": kind, "data": data, "received_at": rfc3339(signal.received_at)});
        Ok(End::Seen(json!({"id": trigger.id, "type": kind, "event": event, "chain": chain}), run))
    }
}

enum End {
    Seen(Value, RunId),
    /// Of a plan or in a way that the trigger does not ask for.
    NotOurs,
    NotYet,
}

fn is_wanted(wanted: &PlanEnd, header: &RunHeader) -> bool {
    wanted.plan.as_ref().is_none_or(|plan| *plan == header.plan_name || *plan == header.plan_id.to_string())
}

impl Inner {
    /// Whether a trigger of the organization listens to the ends of runs.
    pub(crate) async fn ends_are_heard(&self, org: OrgId) -> Result<bool, StoreError> {
        let asked = self.end_listeners.0.lock().expect("no panic happens while the listeners are held").entry(org).or_default().clone();
        let mut known = asked.lock().await;
        let now = self.clock.now();
        if let Some((at, heard)) = *known
            && (at..at.saturating_add(REMEMBERED)).contains(&now)
        {
            return Ok(heard);
        }
        let heard = self.store.listens(org, ENDS).await?;
        *known = Some((now, heard));
        Ok(heard)
    }

    /// Announces that a run is about to end: durable before its end is, so that no end is missed. The one who hears it looks whether it came.
    pub(crate) async fn announce_end(&self, header: &RunHeader, epoch: i64) -> Result<(), StoreError> {
        // Once for each process that drives it there: a run that goes on after all ends another time.
        let id = SignalId(uuid_of(self.keys.random_bits(header, &format!("end/{epoch}"), 0)));
        let data = json!({"run_id": header.id});
        self.store.put_signal(&NewSignal { org: header.owner.org, id, topic: ENDS.to_owned(), data, sole: false }).await?;
        Ok(())
    }
}
