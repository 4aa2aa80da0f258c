//! Schedules: when a plan's cron and interval triggers are due, and which of its triggers have signals to look at.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use crate::clock::Millis;
use crate::cron::Misfire;
use crate::id::{OrgId, Owner, PlanId, ScheduleId};
use crate::run::RunStatus;

/// What the rule of a trigger begins with that is due when a signal of the topic behind it came, and not at a time.
pub const LISTENS: &str = "on ";

/// What the rule of a trigger begins with that looks for what is new, at the times of the rule behind it.
pub const LOOKS: &str = "poll ";

/// The rule of a trigger that listens to a topic.
pub fn listening_to(topic: &str) -> String {
    format!("{LISTENS}{topic}")
}

/// One trigger of one plan: cron, interval, or one that listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    pub id: ScheduleId,
    pub plan: PlanId,
    pub plan_name: String,
    pub owner: Owner,
    /// The trigger's id in the plan.
    pub trigger: String,
    /// A cron expression, `every <duration>`, `on <topic>` (due since a signal of it came that was not looked at), or `poll ` before one of
    /// the first two: looks for what is new then.
    pub expression: String,
    pub timezone: Option<String>,
    pub misfire: Misfire,
    /// The next slot; `None` when no further one exists.
    pub next_due: Option<Millis>,
    /// The last slot that was filled or skipped; of one that listens, up to which moment signals were looked at.
    pub last_due: Option<Millis>,
    pub last_status: Option<RunStatus>,
}

/// What a trigger that looks for what is new remembers between its looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriggerState {
    /// What it has seen, in a form of its kind; null before its first look that worked.
    pub seen: Value,
    pub standing: TriggerStanding,
}

/// How its looks went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriggerStanding {
    /// Looks in a row that failed, up to now.
    pub failures: u32,
    pub failing_since: Option<Millis>,
    /// The last failure as `{code, message}`, until a look works.
    pub error: Option<Value>,
    /// When the last look began that worked.
    pub worked_at: Option<Millis>,
}

/// A trigger whose last looks failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailingTrigger {
    pub schedule: ScheduleId,
    pub plan: PlanId,
    pub plan_name: String,
    pub owner: Owner,
    pub trigger: String,
    pub standing: TriggerStanding,
}

#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Schedules with `next_due <= now`, earliest first.
    async fn due_schedules(&self, now: Millis, limit: u32) -> Result<Vec<ScheduleRecord>, StoreError>;

    /// The earliest `next_due`.
    async fn next_due(&self) -> Result<Option<Millis>, StoreError>;

    /// Moves a schedule on without a run: its missed slots were skipped. Only when `next_due` still is `seen`.
    async fn skip_slots(
        &self,
        id: ScheduleId,
        seen: Millis,
        last_due: Option<Millis>,
        next_due: Option<Millis>,
    ) -> Result<bool, StoreError>;

    /// Notes that a trigger has looked at the signals of its topic up to `upto`, and is due no more unless others came since `seen`, its
    /// `next_due`, was read. `false` when some did.
    async fn heard(&self, id: ScheduleId, seen: Millis, upto: Option<Millis>) -> Result<bool, StoreError>;

    /// Whether any trigger of the organization listens to the topic.
    async fn listens(&self, org: OrgId, topic: &str) -> Result<bool, StoreError>;

    /// What a trigger remembers; `None` before its first look.
    async fn trigger_state(&self, org: OrgId, plan: PlanId, trigger: &str) -> Result<Option<TriggerState>, StoreError>;

    /// Ends a look: moves the schedule on and keeps what its trigger is to remember, in one transaction. Neither, and `false`, when
    /// `next_due` no longer is `seen`: somebody else looks meanwhile.
    async fn settle_trigger(
        &self,
        id: ScheduleId,
        seen: Millis,
        last_due: Option<Millis>,
        next_due: Option<Millis>,
        state: &TriggerState,
    ) -> Result<bool, StoreError>;

    /// How the looks of the organization's triggers went, by plan and trigger.
    async fn trigger_standings(&self, org: OrgId) -> Result<Vec<(PlanId, String, TriggerStanding)>, StoreError>;

    /// Triggers of all organizations whose last `least` looks or more failed.
    async fn failing_triggers(&self, least: u32, limit: u32) -> Result<Vec<FailingTrigger>, StoreError>;

    /// The organization's schedules but those that listen, by next slot.
    async fn list_schedules(&self, org: OrgId) -> Result<Vec<ScheduleRecord>, StoreError>;
}
