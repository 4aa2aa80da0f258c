//! The running program's parts, as handlers and commands get them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mainspring_engine::Engine;
use mainspring_model::clock::Clock;
use mainspring_model::credential::Secret;
use mainspring_model::store::Store;
use mainspring_providers::egress::Egress;
use mainspring_vault::{Redactor, Vault};

use crate::audit::Audit;
use crate::catalog::ServerCatalog;
use crate::flags::Flags;
use crate::identity::Identity;
use crate::limits::{Limits, Network};
use crate::live::{Hub, Redis};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::plan_files::PlanFiles;
use crate::roles::Roles;
use crate::traces::Tracer;
use crate::webhooks::WebhookRoutes;

/// Everything that was wired together at start. Shared by all handlers.
pub struct App {
    pub engine: Engine,
    pub store: Arc<dyn Store>,
    /// Built-in providers and every owner's custom integrations.
    pub catalog: Arc<ServerCatalog>,
    /// Webhook path → plan triggers, in memory.
    pub webhooks: WebhookRoutes,
    /// What became of the files in the folder of plan files.
    pub plan_files: PlanFiles,
    pub vault: Arc<Vault>,
    /// Who people are.
    pub identity: Identity,
    pub redactor: Arc<Redactor>,
    pub egress: Arc<Egress>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    /// The way into the audit log.
    pub audit: Arc<Audit>,
    pub live: Arc<Hub>,
    /// What an operator switches on and off while the program runs.
    pub flags: Flags,
    /// What leaves by mail and webhook, and must not be lost.
    pub outbox: Outbox,
    /// When the operator named one; nothing rests on it.
    pub redis: Option<Arc<Redis>>,
    /// When the operator set some.
    pub limits: Option<Limits>,
    /// Set by a server whose operator named a collector.
    pub tracer: OnceLock<Arc<Tracer>>,
    pub mode: Mode,
}

/// What the program was told about how to serve.
#[derive(Clone, Debug)]
pub struct Mode {
    /// The caller on loopback is the local owner; no key is asked for.
    pub dev: bool,
    pub roles: Roles,
    /// The data lies in this machine's folder, and not in a database elsewhere.
    pub embedded: bool,
    pub listen: SocketAddr,
    pub data: PathBuf,
    /// `development`, `production`, …
    pub environment: String,
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// Origins that browsers may call from, beside our own.
    pub cors_origins: Vec<String>,
    /// Networks of the proxies in front that are believed.
    pub proxies: Vec<Network>,
    /// How long `wait: true` and webhooks hold the caller, in milliseconds.
    pub answer_within: i64,
    /// Opens `/metrics` on the server's own address.
    pub metrics_token: Option<Secret>,
    /// Between the deletion of an organization and the removal of its rows.
    pub grace: Duration,
    /// Unix milliseconds of the start.
    pub started_at: i64,
}
