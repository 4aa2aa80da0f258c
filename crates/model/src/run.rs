//! A run as everybody outside the engine sees it: status, header, and the shape that answers show.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::burst::HeldFor;
use crate::clock::Millis;
use crate::event::BlobRef;
use crate::fault::Fault;
use crate::id::{Owner, PlanId, RunId, ScheduleId};

/// Where a run is. Everything after `Paused` is terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Queued,
    Running,
    Waiting,
    Paused,
    Success,
    Error,
    Cancelled,
    TimedOut,
    NeedsDecision,
    Quarantined,
}

impl RunStatus {
    pub const ALL: [RunStatus; 10] = [
        RunStatus::Queued,
        RunStatus::Running,
        RunStatus::Waiting,
        RunStatus::Paused,
        RunStatus::Success,
        RunStatus::Error,
        RunStatus::Cancelled,
        RunStatus::TimedOut,
        RunStatus::NeedsDecision,
        RunStatus::Quarantined,
    ];

    pub fn is_terminal(self) -> bool {
        self > RunStatus::Paused
    }

    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Queued => "queued",
            RunStatus::Running => "running",
            RunStatus::Waiting => "waiting",
            RunStatus::Paused => "paused",
            RunStatus::Success => "success",
            RunStatus::Error => "error",
            RunStatus::Cancelled => "cancelled",
            RunStatus::TimedOut => "timed_out",
            RunStatus::NeedsDecision => "needs_decision",
            RunStatus::Quarantined => "quarantined",
        }
    }

    pub fn parse(text: &str) -> Option<RunStatus> {
        RunStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Pending,
    Running,
    Waiting,
    Success,
    Error,
    Skipped,
    NotReached,
    Cancelled,
}

impl StepStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            StepStatus::Pending => "pending",
            StepStatus::Running => "running",
            StepStatus::Waiting => "waiting",
            StepStatus::Success => "success",
            StepStatus::Error => "error",
            StepStatus::Skipped => "skipped",
            StepStatus::NotReached => "not_reached",
            StepStatus::Cancelled => "cancelled",
        }
    }
}

/// What a run is born with; never changes. Replay starts from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    pub id: RunId,
    pub owner: Owner,
    pub plan_id: PlanId,
    pub plan_version: u32,
    pub plan_name: String,
    /// Checked against the plan's `inputs`, defaults filled in.
    pub inputs: Value,
    /// `{type: "manual"}`, or what the webhook or the schedule saw: the root `trigger`.
    pub trigger: Value,
    /// The organization's variables at the start.
    pub org: Value,
    pub created_at: Millis,
    /// `run.environment`: `development`, `production`, or what the operator configured.
    pub environment: String,
    /// Source of `uuid()` and `random()`.
    pub seed: [u8; 16],
    /// The run and step path that called this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<(RunId, String)>,
}

impl RunHeader {
    /// The run that this one is a replay of.
    pub fn replay_of(&self) -> Option<RunId> {
        self.trigger["replay_of"]["run"].as_str()?.parse().ok()
    }
}

/// A due time that a run fills: unique per schedule, written in the run's own transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub schedule: ScheduleId,
    pub due_at: Millis,
}

/// A run's end: written once, with the terminal status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub status: RunStatus,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// Set instead of `output` when the value is over [`crate::event::INLINE_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobRef>,
    pub error: Option<Fault>,
}

/// The tag of steps that ask for none, and of nodes that were started with none.
pub const UNTAGGED: &str = "default";

/// Which limit a queued run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Its plan's on live runs.
    Concurrency,
    /// Its organization's on runs at work.
    OrganizationLimit,
}

impl HeldBy {
    pub fn as_str(self) -> &'static str {
        match self {
            HeldBy::Concurrency => "concurrency",
            HeldBy::OrganizationLimit => "organization_limit",
        }
    }
}

/// A run's row as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub id: RunId,
    pub plan_id: PlanId,
    pub plan_version: u32,
    pub plan_name: String,
    pub status: RunStatus,
    /// `manual`, `webhook`, `cron`, `call`, …
    pub trigger: String,
    pub created_at: Millis,
    pub started_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    /// When a waiting run goes on by itself.
    pub wake_at: Option<Millis>,
    /// The tag that a queued run's node must serve, where that is not [`UNTAGGED`].
    pub tag: Option<String>,
    /// A queued run is held back for others to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<HeldFor>,
    /// The limit that keeps a queued run from beginning, or from going on.
    pub held_by: Option<HeldBy>,
    pub output: Option<Value>,
    pub error: Option<Fault>,
}
