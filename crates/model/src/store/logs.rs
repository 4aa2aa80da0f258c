//! The execution log and totals: a view over the journal, and counters that pruning does not touch.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::id::{OrgId, PlanId, RunId};
use crate::run::RunSummary;

/// One attempt, as `execution_logs` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Opaque and stable.
    pub id: String,
    pub run_id: RunId,
    pub plan_id: PlanId,
    pub plan_name: String,
    pub step_number: Option<u32>,
    /// The step's path.
    pub step_id: String,
    pub attempt: u32,
    pub provider: String,
    pub action: String,
    pub status: String,
    pub message: String,
    pub latency_ms: f64,
    /// First 500 characters.
    pub output_preview: String,
    /// The fault as journalled.
    pub error: Option<Value>,
    pub timestamp: Millis,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    pub plan: Option<PlanId>,
    pub run: Option<RunId>,
    pub status: Option<String>,
    pub provider: Option<String>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProviderTotals {
    pub provider: String,
    pub total: u64,
    pub failed: u64,
    pub avg_latency_ms: f64,
    pub p95_latency_ms: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    pub total_executions: u64,
    pub successful: u64,
    pub failed: u64,
    pub running: u64,
    pub queued: u64,
    /// The ten newest runs.
    pub recent: Vec<RunSummary>,
    /// Over the attempts of the last 24 h.
    pub providers: Vec<ProviderTotals>,
}

/// What finished runs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub max_age: Duration,
    pub max_runs: u64,
    /// Never one that ended less than this ago.
    pub min_age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { max_age: Duration::from_secs(14 * 86_400), max_runs: 1_000_000, min_age: Duration::from_secs(3_600) }
    }
}

/// What of one kind retention would remove now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// `runs`, `plan_versions`, `remembered_answers`.
    pub kind: &'static str,
    pub rows: u64,
    /// How long ago the oldest of them ended, went out of use or was given.
    pub oldest: Option<Millis>,
}

#[async_trait]
pub trait LogStore: Send + Sync {
    async fn list_logs(&self, org: OrgId, filter: &LogFilter, paging: &Paging) -> Result<Page<LogEntry>, StoreError>;

    async fn monitoring(&self, org: OrgId) -> Result<Monitoring, StoreError>;

    /// Removes one small batch of finished runs that retention no longer keeps, with their journal; how many. 0: nothing left to do.
    async fn prune(&self, retention: &Retention, batch: u32) -> Result<u64, StoreError>;

    /// What [`LogStore::prune`] would remove if it was called until nothing is left to do. Changes nothing.
    async fn prunable(&self, retention: &Retention) -> Result<Vec<Prunable>, StoreError>;
}
