//! How the server is: for the earlier callers, and for whatever restarts it or sends it traffic.

use axum::extract::State;
use futures_util::future::{Either, select};
use http::StatusCode;
use mainspring_engine::Loop;
use mainspring_model::Problem as Finding;
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
    database: Database,
    pools: Vec<Pool>,
    /// The first plan files that are broken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken_plan_files: Vec<BrokenFile>,
}

/// Connections to the database, by who uses them.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionPool)]
pub struct Pool {
    #[schema(example = "api")]
    name: &'static str,
    /// The most that are opened.
    size: u32,
    idle: u32,
    in_use: u32,
    /// Callers that have none yet.
    waiting: u32,
}

impl From<store::Pool> for Pool {
    fn from(pool: store::Pool) -> Pool {
        Pool { name: pool.name, size: pool.most, idle: pool.idle, in_use: pool.in_use(), waiting: pool.waiting }
    }
}

/// Whether the database is within reach, by what the last attempts came to.
#[derive(Serialize, ToSchema)]
#[schema(as = DatabaseReach)]
pub struct Database {
    /// `closed`; `open` while callers are refused at once, since it could not be reached several times in a row; `half_open` when
    /// one caller may find out whether it can be.
    #[schema(example = "closed")]
    circuit: &'static str,
    /// How long every attempt has failed; not there when the last one did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable_for_s: Option<u64>,
}

impl From<store::Reach> for Database {
    fn from(reach: store::Reach) -> Database {
        Database { circuit: reach.circuit.as_str(), unreachable_for_s: reach.lost_for.map(|lost_for| lost_for.as_secs()) }
    }
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
    /// `warning` when nine tenths of a shared pool's connections are in use.
    database_pool: &'static str,
    /// Free space for the data; `warning` under 1 GiB, `error` when nothing can be written.
    disk: &'static str,
    /// `degraded` while the configured Redis does not answer: live updates of other nodes then take about a second,
    /// and each node counts rate limits for itself. Never a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<&'static str>,
    /// `warning` when a plan file cannot be taken up, or the folder not be read: what was loaded before stays. Never a failure. Only of a node that
    /// follows a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_files: Option<&'static str>,
}

/// A plan file that is not taken up. What is wrong in it, in words, is told to who may see plans: `GET /api/plan-files`.
#[derive(Serialize, ToSchema)]
pub struct BrokenFile {
    #[schema(example = "payments.yaml")]
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    #[schema(example = "UNKNOWN_FIELD")]
    code: String,
    /// What to write instead, where that is known.
    fix: Option<String>,
}

impl BrokenFile {
    fn of((file, problem): (String, Option<Finding>)) -> BrokenFile {
        let (line, column) = problem.as_ref().map(|problem| (problem.line, problem.column)).unwrap_or_default();
        let code = problem.as_ref().map(|problem| problem.code.clone()).unwrap_or_default();
        BrokenFile { file, line, column, code, fix: problem.and_then(|problem| problem.fix) }
    }
}

/// So many broken files are named.
const MOST_BROKEN: usize = 20;

const OK: &str = "ok";
const WARNING: &str = "warning";
const ERROR: &str = "error";

impl Checks {
    fn none_failed(&self) -> bool {
        let Checks { database, migrations, scheduler, queue, database_pool, disk, redis: _, plan_files: _ } = *self;
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
    let pools = api.store.pools();
    let database_pool = if pools.iter().any(store::Pool::is_strained) { WARNING } else { OK };
    let probe = in_time(&api, api.store.probe()).await;
    let migrations = match in_time(&api, api.store.migrations()).await {
        Ok(migrations) if migrations.pending.is_empty() => OK,
        _ => ERROR,
    };
    if let Err(Some(error)) = &probe {
        tracing::warn!(%error, "the readiness probe failed");
    }
    let mut broken = api.plan_files.broken();
    let troubled = !broken.is_empty() || api.plan_files.trouble().is_some();
    broken.truncate(MOST_BROKEN);
    let checks = Checks {
        plan_files: api.plan_files.folder().map(|_| if troubled { WARNING } else { OK }),
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
    let readiness = Readiness {
        status: if ready { "ready" } else { "not_ready" },
        checks,
        database: Database::from(api.store.reach()),
        pools: pools.into_iter().map(Pool::from).collect(),
        broken_plan_files: broken.into_iter().map(BrokenFile::of).collect(),
    };
    Reply::json(status, &readiness)
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
