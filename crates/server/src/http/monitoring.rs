//! How the organization's runs do: totals that pruning does not touch, the newest runs, and each provider's speed.

use axum::extract::State;
use mainspring_model::store::ProviderTotals;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Shared;
use super::caller::Caller;
use super::problem::Refusable;
use super::reach::Reach;
use super::reply::Reply;
use super::runs::RunEntry;

#[derive(Serialize, ToSchema)]
pub struct MonitoringStatus {
    total_executions: u64,
    successful: u64,
    failed: u64,
    running: u64,
    queued: u64,
    /// The ten newest runs.
    recent_activity: Vec<RunEntry>,
    /// Over the attempts of the last 24 h.
    providers: Vec<ProviderStatus>,
}

#[derive(Serialize, ToSchema)]
pub struct ProviderStatus {
    provider: String,
    total: u64,
    failed: u64,
    avg_latency_ms: f64,
    p95_latency_ms: f64,
}

impl From<ProviderTotals> for ProviderStatus {
    fn from(totals: ProviderTotals) -> ProviderStatus {
        let ProviderTotals { provider, total, failed, avg_latency_ms, p95_latency_ms } = totals;
        ProviderStatus { provider, total, failed, avg_latency_ms, p95_latency_ms }
    }
}

/// Totals, the newest runs, and providers
#[utoipa::path(get, path = "/api/monitoring/status", tag = "runs", responses((status = 200, body = MonitoringStatus)))]
pub async fn get_status(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let seen = api.store.monitoring(caller.owner.org).await?;
    let reach = Reach::of(&api, &caller).await?;
    Ok(Reply::ok(&MonitoringStatus {
        total_executions: seen.total_executions,
        successful: seen.successful,
        failed: seen.failed,
        running: seen.running,
        queued: seen.queued,
        recent_activity: seen.recent.into_iter().filter(|run| reach.sees(run.plan_id)).map(RunEntry::from).collect(),
        providers: seen.providers.into_iter().map(ProviderStatus::from).collect(),
    }))
}
