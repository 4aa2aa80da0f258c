//! How the server is: for the earlier callers, and for whatever restarts it or sends it traffic.

use axum::extract::State;
use futures_util::future::{Either, select};
use http::StatusCode;
use mainspring_engine::Loop;
use mainspring_model::store::{self, StoreError};
use serde::Serialize;
use std::pin::pin;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::problem::Refusable;
use super::reply::Reply;
use super::shape::Time;
use crate::disk;

/// A probe that takes longer is a failed one, in milliseconds.
const PROBE_WITHIN: i64 = 2_000;

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "healthy")]
    status: &'static str,
    timestamp: Time,
    /// `active`; `starting` while the runs of an earlier process are taken up; `stuck`, `stopping`; `elsewhere` when other
    /// nodes fire the schedules.
    #[schema(example = "active")]
    scheduler: &'static str,
    version: &'static str,
}

/// Whether the server works, as the earlier callers ask
#[utoipa::path(get, path = "/api/health", tag = "server", security(()), responses((status = 200, body = Health)))]
pub async fn check_health(State(api): Shared) -> Reply {
    let scheduler = match api.engine.schedule_loop() {
        _ if api.closing.is_cancelled() => "stopping",
        _ if !api.mode.roles.scheduler => "elsewhere",
        Loop::Starting => "starting",
        Loop::Turning => "active",
        Loop::Stuck(_) => "stuck",
    };
    Reply::ok(&Health { status: "healthy", timestamp: Time(api.clock.now()), scheduler, version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize, ToSchema)]
pub struct Liveness {
    #[schema(example = "alive")]
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/health/liveness", tag = "server", security(()), responses((status = 200, body = Liveness)))]
pub async fn check_liveness() -> Reply {
    Reply::ok(&Liveness { status: "alive" })
}

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    checks: Checks,
}

/// `ok`, `warning` or `error` each; an `error` makes the server not ready.
#[derive(Serialize, ToSchema)]
pub struct Checks {
    /// A bounded write and a read.
    database: &'static str,
    /// Those of this version are there, unchanged, and no others.
    migrations: &'static str,
    /// Schedules are fired; `warning` until they are for the first time. Only of a node that does this.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduler: Option<&'static str>,
    /// Queued and due runs are taken up; `warning` until they are for the first time. Only of a node that does this.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'static str>,
    /// `warning` when nine tenths of the connections are in use or somebody waits for one.
    database_pool: &'static str,
    /// Free space for the data; `warning` under 1 GiB, `error` when nothing can be written.
    disk: &'static str,
    /// `degraded` while the configured Redis does not answer: live updates of other nodes then take about a second. Never a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<&'static str>,
}

const OK: &str = "ok";
const WARNING: &str = "warning";
const ERROR: &str = "error";

impl Checks {
    fn none_failed(&self) -> bool {
        let Checks { database, migrations, scheduler, queue, database_pool, disk, redis: _ } = *self;
        let loops = [scheduler, queue].into_iter().flatten();
        ![database, migrations, database_pool, disk].into_iter().chain(loops).any(|check| check == ERROR)
    }
}

/// Whether the server can take work
///
/// Makes a bounded write and a read. Does not wait for the recovery of earlier runs.
#[utoipa::path(get, path = "/health/readiness", tag = "server", security(()), responses(
    (status = 200, body = Readiness),
    (status = 503, description = "Not ready: a check that is critical failed, or the server is on its way down.", body = Readiness),
))]
pub async fn check_readiness(State(api): Shared) -> Reply {
    // First: the probe takes a connection itself.
    let database_pool = if api.store.pool().is_strained() { WARNING } else { OK };
    let probe = in_time(&api, api.store.probe()).await;
    let migrations = match in_time(&api, api.store.migrations()).await {
        Ok(migrations) if migrations.pending.is_empty() => OK,
        _ => ERROR,
    };
    if let Err(Some(error)) = &probe {
        tracing::warn!(%error, "the readiness probe failed");
    }
    let checks = Checks {
        database: if probe.is_ok() { OK } else { ERROR },
        migrations,
        scheduler: api.mode.roles.scheduler.then(|| turning(&api, api.engine.schedule_loop())),
        queue: api.mode.roles.worker.then(|| turning(&api, api.engine.queue_loop())),
        database_pool,
        disk: space(&api, probe.err().flatten().as_ref()),
        redis: api.redis.as_ref().filter(|_| !api.mode.embedded).map(|redis| if redis.is_up() { OK } else { "degraded" }),
    };
    let ready = checks.none_failed();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Reply::json(status, &Readiness { status: if ready { "ready" } else { "not_ready" }, checks })
}

fn turning(api: &Api, engine: Loop) -> &'static str {
    match engine {
        _ if api.closing.is_cancelled() => ERROR,
        // Readiness does not wait for recovery: runs that are started now are driven now.
        Loop::Starting => WARNING,
        Loop::Turning => OK,
        Loop::Stuck(_) => ERROR,
    }
}

fn space(api: &Api, probed: Option<&StoreError>) -> &'static str {
    if let Some(StoreError::Full { .. } | StoreError::ReadOnly { .. }) = probed {
        return ERROR;
    }
    // Of a database elsewhere the disk is only seen when it refuses.
    let little = api.mode.embedded && disk::free_mib(&api.mode.data).is_some_and(|free| free < disk::LITTLE);
    if little { WARNING } else { OK }
}

/// `Err(None)`: the store did not answer in time.
async fn in_time<T>(api: &Api, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Option<StoreError>> {
    let late = async { api.clock.sleep_until(api.clock.now() + PROBE_WITHIN).await };
    match select(pin!(asked), pin!(late)).await {
        Either::Left((answered, _)) => answered.map_err(Some),
        Either::Right(((), _)) => Err(None),
    }
}

#[derive(Serialize, ToSchema)]
pub struct Migrations {
    /// `up_to_date` or `pending`.
    #[schema(example = "up_to_date")]
    status: &'static str,
    applied: usize,
    pending: Vec<String>,
}

/// Which migrations the database has and lacks
#[utoipa::path(get, path = "/health/migrations", tag = "server", security(()), responses((status = 200, body = Migrations)))]
pub async fn check_migrations(State(api): Shared) -> Refusable<Reply> {
    let store::Migrations { applied, pending } = api.store.migrations().await?;
    let status = if pending.is_empty() { "up_to_date" } else { "pending" };
    Ok(Reply::ok(&Migrations { status, applied: applied.len(), pending }))
}
