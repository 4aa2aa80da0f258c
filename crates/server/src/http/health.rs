//! How the server is: for the earlier callers, and for whatever restarts it or sends it traffic.

use axum::extract::State;
use futures_util::future::{Either, select};
use http::StatusCode;
use mainspring_model::store::StoreError;
use serde::Serialize;
use std::pin::pin;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::problem::Refusable;
use super::reply::Reply;
use super::shape::Time;

/// A probe that takes longer is a failed one, in milliseconds.
const PROBE_WITHIN: i64 = 2_000;

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "healthy")]
    status: &'static str,
    timestamp: Time,
    #[schema(example = "active")]
    scheduler: &'static str,
    version: &'static str,
}

/// Whether the server works, as the earlier callers ask
#[utoipa::path(get, path = "/api/health", tag = "server", security(()), responses((status = 200, body = Health)))]
pub async fn check_health(State(api): Shared) -> Reply {
    let scheduler = if api.closing.is_cancelled() { "stopping" } else { "active" };
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

/// `ok`, `warning` or `error` each.
#[derive(Serialize, ToSchema)]
pub struct Checks {
    database: &'static str,
    migrations: &'static str,
    scheduler: &'static str,
    queue: &'static str,
    database_pool: &'static str,
    disk: &'static str,
}

/// Whether the server can take work
///
/// Makes a bounded write and a read. Does not wait for the recovery of earlier runs.
#[utoipa::path(get, path = "/health/readiness", tag = "server", security(()), responses(
    (status = 200, body = Readiness),
    (status = 503, description = "Not ready: a check that is critical failed, or the server is on its way down.", body = Readiness),
))]
pub async fn check_readiness(State(api): Shared) -> Reply {
    let probe = probe(&api).await;
    if let Err(Some(error)) = &probe {
        tracing::warn!(%error, "the readiness probe failed");
    }
    let working = |works: bool| if works { "ok" } else { "error" };
    let disk = !matches!(&probe, Err(Some(StoreError::Full { .. } | StoreError::ReadOnly { .. })));
    let serving = !api.closing.is_cancelled();
    let checks = Checks {
        database: working(probe.is_ok()),
        // An unknown or unapplied migration keeps the server from starting at all.
        migrations: "ok",
        scheduler: working(serving),
        queue: working(serving),
        // The embedded store has one writer and no pool that could run dry.
        database_pool: "ok",
        disk: working(disk),
    };
    let ready = probe.is_ok() && serving;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Reply::json(status, &Readiness { status: if ready { "ready" } else { "not_ready" }, checks })
}

/// `Err(None)`: the store did not answer in time.
async fn probe(api: &Api) -> Result<(), Option<StoreError>> {
    let late = async { api.clock.sleep_until(api.clock.now() + PROBE_WITHIN).await };
    match select(pin!(api.store.probe()), pin!(late)).await {
        Either::Left((probed, _)) => probed.map_err(Some),
        Either::Right(((), _)) => Err(None),
    }
}

#[derive(Serialize, ToSchema)]
pub struct Migrations {
    #[schema(example = "up_to_date")]
    status: &'static str,
    applied: usize,
    pending: Vec<String>,
}

/// Which migrations the database has
///
/// A server with pending migrations does not start, so none is ever pending here.
#[utoipa::path(get, path = "/health/migrations", tag = "server", security(()), responses((status = 200, body = Migrations)))]
pub async fn check_migrations(State(api): Shared) -> Refusable<Reply> {
    let applied = api.store.migrations().await?.len();
    Ok(Reply::ok(&Migrations { status: "up_to_date", applied, pending: Vec::new() }))
}
