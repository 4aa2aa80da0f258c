//! Schedules: fires the slots that are due, each in its run's own transaction, so that no slot fires twice or is lost; and lets the
//! triggers that listen look at what came.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, stream};
use mainspring_model::clock::Millis;
use mainspring_model::cron::{Cron, Due, Misfire};
use mainspring_model::duration;
use mainspring_model::run::Slot;
use mainspring_model::store::{LISTENS, LOOKS, ScheduleRecord, StoreError};
use serde_json::{Value, json};

use crate::engine::{Engine, Start, StartError};
use crate::listeners::topic_of;
use crate::run::rfc3339;
use crate::triggers::{self, Sight};

/// Schedules looked at in one go.
const BATCH: u32 = 256;
/// Schedules fired side by side.
const AT_ONCE: usize = 64;
/// Slots of one schedule fired in one go under `fire_all`.
const CATCH_UP: usize = 100;

/// When a schedule is due: a cron rule, or every so often.
pub(crate) enum Rule {
    Cron(Box<Cron>),
    Every(Millis),
}

impl Rule {
    pub(crate) fn of(record: &ScheduleRecord) -> Result<Rule, String> {
        let expression = record.expression.strip_prefix(LOOKS).unwrap_or(&record.expression);
        if let Some(every) = expression.strip_prefix("every ") {
            let every = duration::parse_text(every)?;
            return Ok(Rule::Every(Millis::try_from(every.as_millis()).unwrap_or(Millis::MAX).max(1)));
        }
        Cron::parse(expression, record.timezone.as_deref()).map(|cron| Rule::Cron(Box::new(cron))).map_err(|problem| problem.to_string())
    }

    pub(crate) fn next_after(&self, at: Millis) -> Option<Millis> {
        match self {
            Rule::Cron(cron) => cron.next_after(at),
            Rule::Every(every) => at.checked_add(*every),
        }
    }

    fn due(&self, next_due: Millis, last_due: Option<Millis>, now: Millis, misfire: Misfire) -> Due {
        match self {
            // The slot before `next_due` is settled, whatever it was.
            Rule::Cron(cron) => cron.due(last_due.map_or(next_due - 1, |last| last.min(next_due - 1)), now, misfire, CATCH_UP),
            Rule::Every(every) => {
                let missed = (now - next_due) / every;
                let slots: Vec<Millis> = match misfire {
                    Misfire::FireAll => (0..=missed).take(CATCH_UP).map(|n| next_due + n * every).collect(),
                    Misfire::Skip if missed > 0 && (now - next_due) % every > mainspring_model::cron::GRACE => Vec::new(),
                    Misfire::Skip | Misfire::FireOnce => vec![next_due + missed * every],
                };
                let settled = slots.last().copied().unwrap_or(next_due + missed * every);
                Due { more: slots.len() == CATCH_UP, slots, settled }
            }
        }
    }
}

impl Engine {
    /// The first slot of a new schedule after `now`; at once for one that looks every so often.
    pub fn first_slot(expression: &str, timezone: Option<&str>, now: Millis) -> Option<Millis> {
        if expression.starts_with(LISTENS) {
            return None;
        }
        let rule = expression.strip_prefix(LOOKS);
        if rule.is_some_and(|rule| rule.starts_with("every ")) {
            return Some(now);
        }
        let expression = rule.unwrap_or(expression);
        if let Some(every) = expression.strip_prefix("every ") {
            let every = duration::parse_text(every).ok()?;
            return now.checked_add(Millis::try_from(every.as_millis()).ok()?);
        }
        Cron::parse(expression, timezone).ok()?.next_after(now)
    }

    /// Fires due slots until the engine drains.
    pub async fn serve_schedules(&self) {
        let inner = &self.0;
        while !inner.draining.load(Ordering::Acquire) {
            inner.schedule_pulse.beat(inner.clock.monotonic_us());
            let poll = i64::try_from(inner.settings.poll.as_millis()).unwrap_or(1_000);
            let began = inner.clock.now();
            let until = match self.fire_due().await {
                Ok(0) => match inner.store.next_due().await {
                    Ok(next) => {
                        let now = inner.clock.now();
                        // Schedules may be made at any moment: polling is the truth.
                        // One that was due and did not fire was refused by the store, and would be again at once.
                        next.filter(|next| *next > began).map_or(now + poll, |next| next.clamp(now + 1, now + poll))
                    }
                    Err(_) => inner.clock.now() + poll,
                },
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "due schedules could not be read; trying again");
                    inner.clock.now() + poll
                }
            };
            tokio::select! {
                biased;
                () = inner.heard.notified() => {}
                () = inner.clock.sleep_until(until) => {}
            }
        }
    }

    /// Fires what is due now; how many schedules moved on.
    ///
    /// # Errors
    /// The store's.
    pub async fn fire_due(&self) -> Result<usize, StoreError> {
        let now = self.0.clock.now();
        let due = self.0.store.due_schedules(now, BATCH).await?;
        let fired = stream::iter(due).map(async |record| match self.fire(&record, now).await {
            Ok(moved) => usize::from(moved),
            Err(error) => {
                tracing::error!(schedule = %record.id, plan = %record.plan, %error, "a schedule did not fire; its slot stays due");
                0
            }
        });
        // Side by side, so that their runs share commits: one after the other, each would wait for the disk.
        Ok(fired.buffer_unordered(AT_ONCE).fold(0, async |moved, one| moved + one).await)
    }

    /// `false`: it is left to another node.
    async fn fire(&self, record: &ScheduleRecord, now: Millis) -> Result<bool, StoreError> {
        let Some(next_due) = record.next_due else { return Ok(true) };
        if let Some(topic) = topic_of(record) {
            return self.hear(record, topic, next_due).await.map(|()| true);
        }
        if record.expression.starts_with(LOOKS) {
            return self.look(record, next_due, now).await;
        }
        let rule = match Rule::of(record) {
            Ok(rule) => rule,
            Err(reason) => {
                tracing::error!(schedule = %record.id, %reason, "a stored schedule cannot be read and is stopped");
                self.0.store.skip_slots(record.id, next_due, record.last_due, None).await?;
                return Ok(true);
            }
        };
        let due = rule.due(next_due, record.last_due, now, record.misfire);
        if due.slots.is_empty() {
            let settled = due.settled.max(next_due);
            self.0.store.skip_slots(record.id, next_due, Some(settled), rule.next_after(settled)).await?;
            return Ok(true);
        }
        let mut seen = next_due;
        for slot in due.slots {
            let after = rule.next_after(slot);
            if !self.fire_slot(record, slot, after).await? {
                self.0.store.skip_slots(record.id, seen, Some(slot), after).await?;
            }
            seen = after.unwrap_or(seen);
        }
        Ok(true)
    }

    /// Starts the slot's run; `false` when the trigger's `if` was false or its inputs do not fit, so that the slot is passed over.
    async fn fire_slot(&self, record: &ScheduleRecord, due_at: Millis, next_due: Option<Millis>) -> Result<bool, StoreError> {
        let Some(plan) = self.0.store.get_plan(record.owner.org, record.plan).await? else { return Ok(false) };
        let plan = self.plan(&record.owner, plan.id, plan.version).await?;
        let Some(trigger) = plan.plan.triggers.iter().find(|trigger| trigger.id == record.trigger) else { return Ok(false) };
        let seen: Value = json!({"id": trigger.id, "type": kind(record), "due_at": rfc3339(due_at)});
        let org = self.org_of_triggers(record.owner.org).await?;
        let sight = Sight { trigger: &seen, org: &org, now: self.0.clock.now() };
        let inputs = match triggers::inputs(&plan.plan, trigger, sight) {
            Ok(Some(inputs)) => inputs,
            Ok(None) => return Ok(false),
            Err(refused) => {
                tracing::error!(schedule = %record.id, plan = %record.plan, error = %refused, "a slot was passed over: its inputs do not fit the plan");
                return Ok(false);
            }
        };
        let start = Start {
            owner: record.owner,
            plan,
            inputs,
            trigger: seen,
            key: None,
            slot: Some((Slot { schedule: record.id, due_at }, next_due)),
            parent: None,
            priority: None,
            burst: None,
        };
        let accepted = match self.start(start).await {
            Ok(mut handle) => handle.accepted().await.map(|run| run == handle.id),
            Err(error) => Err(error),
        };
        match accepted {
            // `false`: the slot has its run already, so the schedule only moves on.
            Ok(made) => Ok(made),
            Err(StartError::Draining) => Err(StoreError::Closed),
            Err(StartError::Store(error)) => Err(StoreError::Failed(error.to_string())),
            Err(refused) => {
                tracing::error!(schedule = %record.id, error = %refused, "a slot was passed over: its run did not start");
                Ok(false)
            }
        }
    }
}

fn kind(record: &ScheduleRecord) -> &'static str {
    if record.expression.starts_with("every ") { "interval" } else { "cron" }
}
