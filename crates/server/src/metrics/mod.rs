//! Figures for an operator's monitoring, in the text format of OpenMetrics.

mod listen;
mod sample;

pub use listen::listen;
pub use sample::sample;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_engine::{Loop, Meter};
use mainspring_model::event::AttemptStatus;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Circuit, Delivery};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::disk;

/// The format's media type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from a step that only computes to a slow model.
const STEP_SECONDS: [f64; 10] = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];
const REQUEST_SECONDS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Trigger {
    trigger: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    provider: String,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Delivered {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pools {
    pool: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Loops {
    name: &'static str,
}

/// Everything that is counted. One per process.
pub struct Metrics {
    registry: Registry,
    started: Family<Trigger, Counter>,
    ended: Family<Status, Counter>,
    steps: Family<Step, Counter>,
    late: Counter,
    withheld: Counter,
    step_seconds: Histogram,
    requests: Family<Request, Counter>,
    request_seconds: Histogram,
    messages: Family<Delivered, Counter>,
    live: Gauge,
    queued: Gauge,
    queue_age: Gauge<f64, AtomicU64>,
    schedule_lag: Gauge<f64, AtomicU64>,
    pool_most: Family<Pools, Gauge>,
    pool_open: Family<Pools, Gauge>,
    pool_idle: Family<Pools, Gauge>,
    pool_waiting: Family<Pools, Gauge>,
    pool_in_use: Family<Pools, Gauge>,
    circuit: Family<State, Gauge>,
    unreachable: Gauge<f64, AtomicU64>,
    hosts: Family<State, Gauge>,
    turned_away: Counter,
    stuck: Family<Loops, Gauge>,
    free_bytes: Gauge,
    uptime: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("mainspring"),
            started: Family::default(),
            ended: Family::default(),
            steps: Family::default(),
            late: Counter::default(),
            withheld: Counter::default(),
            step_seconds: Histogram::new(STEP_SECONDS),
            requests: Family::default(),
            request_seconds: Histogram::new(REQUEST_SECONDS),
            messages: Family::default(),
            live: Gauge::default(),
            queued: Gauge::default(),
            queue_age: Gauge::default(),
            schedule_lag: Gauge::default(),
            pool_most: Family::default(),
            pool_open: Family::default(),
            pool_idle: Family::default(),
            pool_waiting: Family::default(),
            pool_in_use: Family::default(),
            circuit: Family::default(),
            unreachable: Gauge::default(),
            hosts: Family::default(),
            turned_away: Counter::default(),
            stuck: Family::default(),
            free_bytes: Gauge::default(),
            uptime: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("runs_started", "Runs that this process was asked to start, by kind of trigger", self.started.clone());
        registry.register("runs_ended", "Runs that ended in this process, by status", self.ended.clone());
        registry.register("step_attempts", "Attempts of steps, by provider and status", self.steps.clone());
        registry.register("stale_writes", "Writes of runs that were refused because another node has the run by now", self.late.clone());
        registry.register(
            "attempts_withheld",
            "Attempts that did not begin, or waited, because this node's lease was in doubt",
            self.withheld.clone(),
        );
        registry.register_with_unit("step_duration", "How long attempts took", Unit::Seconds, self.step_seconds.clone());
        registry.register("http_requests", "Requests that were answered, by method and status", self.requests.clone());
        registry.register_with_unit("http_request_duration", "How long answers took", Unit::Seconds, self.request_seconds.clone());
        registry.register(
            "messages",
            "Attempts to deliver mails, webhooks and notifications, by channel and outcome",
            self.messages.clone(),
        );
        registry.register("runs_live", "Runs that this process drives now", self.live.clone());
        registry.register("queue_runs", "Runs of all nodes that wait to be claimed, up to 100,000", self.queued.clone());
        registry.register_with_unit(
            "queue_oldest",
            "How long the run that waits longest has waited to be claimed",
            Unit::Seconds,
            self.queue_age.clone(),
        );
        registry.register_with_unit(
            "schedule_lag",
            "How long the schedule that is due longest has been due",
            Unit::Seconds,
            self.schedule_lag.clone(),
        );
        registry.register("database_connections_most", "Size of each pool of connections", self.pool_most.clone());
        registry.register("database_connections_open", "Open connections of each pool", self.pool_open.clone());
        registry.register("database_connections_idle", "Open connections that nobody uses", self.pool_idle.clone());
        registry.register("database_connections_in_use", "Connections that somebody uses", self.pool_in_use.clone());
        registry.register("database_connections_waiting", "Callers that wait for a connection", self.pool_waiting.clone());
        registry.register("loop_stuck", "1 when a loop of the engine has not turned for 30 s", self.stuck.clone());
        registry.register_with_unit("data_free", "Free space where the data lies; 0 over PostgreSQL", Unit::Bytes, self.free_bytes.clone());
        registry.register("database_circuit", "1 for the state that the circuit to the database is in", self.circuit.clone());
        registry.register_with_unit(
            "database_unreachable",
            "How long every attempt to reach the database has failed",
            Unit::Seconds,
            self.unreachable.clone(),
        );
        registry.register(
            "outside_hosts",
            "Outside hosts that fail or asked for a pause, by the state of their circuit",
            self.hosts.clone(),
        );
        registry.register("calls_held_back", "Calls that were not made because their host fails", self.turned_away.clone());
        registry.register_with_unit("uptime", "Since the start", Unit::Seconds, self.uptime.clone());
    }

    /// One answer over HTTP.
    pub fn answered(&self, method: &http::Method, status: u16, seconds: f64) {
        self.requests.get_or_create(&Request { method: known(method), status }).inc();
        self.request_seconds.observe(seconds);
    }

    /// One attempt to deliver a message.
    pub fn delivered(&self, channel: &'static str, delivery: &Delivery) {
        let outcome = match delivery {
            Delivery::Sent => "sent",
            Delivery::Again { .. } => "again",
            Delivery::Failed { .. } => "failed",
        };
        self.messages.get_or_create(&Delivered { channel, outcome }).inc();
    }

    /// All figures as text.
    pub fn text(&self, app: &App) -> String {
        let reach = app.store.reach();
        for circuit in Circuit::ALL {
            self.circuit.get_or_create(&State { state: circuit.as_str() }).set(i64::from(circuit == reach.circuit));
        }
        self.unreachable.set(reach.lost_for.unwrap_or_default().as_secs_f64());
        self.live.set(i64::try_from(app.engine.live()).unwrap_or(i64::MAX));
        for pool in app.store.pools() {
            let of = |figures: &Family<Pools, Gauge>, value: u32| {
                figures.get_or_create(&Pools { pool: pool.name }).set(value.into());
            };
            of(&self.pool_most, pool.most);
            of(&self.pool_open, pool.open);
            of(&self.pool_idle, pool.idle);
            of(&self.pool_in_use, pool.in_use());
            of(&self.pool_waiting, pool.waiting);
        }
        for (name, state) in [("queue", app.engine.queue_loop()), ("schedules", app.engine.schedule_loop())] {
            self.stuck.get_or_create(&Loops { name }).set(i64::from(matches!(state, Loop::Stuck(_))));
        }
        if let Some(free) = disk::free_mib(&app.mode.data).filter(|_| app.mode.embedded) {
            self.free_bytes.set(i64::try_from(free * 1_024 * 1_024).unwrap_or(i64::MAX));
        }
        let breaker = app.egress.breaker();
        for (state, hosts) in breaker.states(app.clock.now()) {
            self.hosts.get_or_create(&State { state: state.as_str() }).set(i64::try_from(hosts).unwrap_or(i64::MAX));
        }
        // The breaker counts by itself.
        self.turned_away.inner().store(breaker.turned_away(), Ordering::Relaxed);
        self.uptime.set((app.clock.now() - app.mode.started_at) as f64 / 1_000.0);
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the figures could not be written out");
        }
        text
    }
}

/// Methods that callers invent must not become series of their own.
fn known(method: &http::Method) -> &'static str {
    match *method {
        http::Method::GET => "GET",
        http::Method::POST => "POST",
        http::Method::PUT => "PUT",
        http::Method::PATCH => "PATCH",
        http::Method::DELETE => "DELETE",
        http::Method::HEAD => "HEAD",
        http::Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The engine's side.
pub struct EngineMeter(pub Arc<Metrics>);

impl Meter for EngineMeter {
    fn started(&self, trigger: &str) {
        self.0.started.get_or_create(&Trigger { trigger: trigger.to_owned() }).inc();
    }

    fn ended(&self, status: RunStatus) {
        self.0.ended.get_or_create(&Status { status: status.as_str() }).inc();
    }

    fn attempted(&self, provider: &str, status: AttemptStatus, latency_us: u64) {
        // Custom integrations are as many as users make: one series for all of them.
        let provider = if provider.starts_with("custom_") { "custom" } else { provider };
        self.0.steps.get_or_create(&Step { provider: provider.to_owned(), status: status.as_str() }).inc();
        self.0.step_seconds.observe(latency_us as f64 / 1e6);
    }

    fn late(&self) {
        self.0.late.inc();
    }

    fn withheld(&self) {
        self.0.withheld.inc();
    }
}
