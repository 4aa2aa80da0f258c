//! Schedules: when a plan's cron and interval triggers are due, and which of its triggers have signals to look at.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::clock::Millis;
use crate::cron::Misfire;
use crate::id::{OrgId, Owner, PlanId, ScheduleId};
use crate::run::RunStatus;

/// What the rule of a trigger begins with that is due when a signal of the topic behind it came, and not at a time.
pub const LISTENS: &str = "on ";

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
    /// A cron expression, `every <duration>`, or `on <topic>`: due since a signal of it came that was not looked at.
    pub expression: String,
    pub timezone: Option<String>,
    pub misfire: Misfire,
    /// The next slot; `None` when no further one exists.
    pub next_due: Option<Millis>,
    /// The last slot that was filled or skipped; of one that listens, up to which moment signals were looked at.
    pub last_due: Option<Millis>,
    pub last_status: Option<RunStatus>,
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

    /// The organization's schedules but those that listen, by next slot.
    async fn list_schedules(&self, org: OrgId) -> Result<Vec<ScheduleRecord>, StoreError>;
}
