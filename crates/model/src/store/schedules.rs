//! Schedules: when a plan's cron and interval triggers are due.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::clock::Millis;
use crate::cron::Misfire;
use crate::id::{OrgId, Owner, PlanId, ScheduleId};
use crate::run::RunStatus;

/// One cron or interval trigger of one plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    pub id: ScheduleId,
    pub plan: PlanId,
    pub plan_name: String,
    pub owner: Owner,
    /// The trigger's id in the plan.
    pub trigger: String,
    /// A cron expression, or `every <duration>`.
    pub expression: String,
    pub timezone: Option<String>,
    pub misfire: Misfire,
    /// The next slot; `None` when no further one exists.
    pub next_due: Option<Millis>,
    /// The last slot that was filled or skipped.
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

    /// The organization's schedules, by next slot.
    async fn list_schedules(&self, org: OrgId) -> Result<Vec<ScheduleRecord>, StoreError>;
}
