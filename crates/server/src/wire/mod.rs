//! Wiring: the one file that joins store, vault, providers and engine, and where time and randomness enter.

mod clock;
pub(crate) mod line;
pub mod log;
mod marks;
pub mod postgres;
mod secret_source;
mod tokens;
mod vault_kv;
mod way;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use mainspring_engine::{CrashMarks, Engine, NoMarks, Parts};
use mainspring_model::catalog::BuiltIns;
use mainspring_model::clock::Clock;
use mainspring_model::id::OrgId;
use mainspring_model::store::copy::Head;
use mainspring_model::store::{FileBytes, Store, StoreError};
use mainspring_providers::apart::Apart;
use mainspring_providers::egress::{AllowedHost, Egress, Mode as Reach, Policy};
use mainspring_sandbox::Sandbox;
use mainspring_store::{Bucket, OpenOptions, SqliteStore};
use mainspring_vault::{Cost, KeyRing, OsEntropy, Redactor, SigningKeys, Vault, VaultError};
use thiserror::Error;

use crate::app::{App, Mode};
use crate::audit::Audit;
use crate::catalog::ServerCatalog;
use crate::egress_rules;
use crate::flags::Flags;
use crate::identity::Identity;
use crate::identity::outside::Outside;
use crate::limits::{Limits, Shared};
use crate::live::{self, Hub, Redis};
use crate::mail::Postman;
use crate::metrics::{EngineMeter, Metrics};
use crate::outbox::Outbox;
use crate::plan_files::PlanFiles;
use crate::roles::Roles;
use crate::settings::{EgressMode, Settings};
use crate::tags::Tags;
use crate::webhooks::WebhookRoutes;

pub use clock::SystemClock;
pub use marks::FileMarks;
use secret_source::Elsewhere;
use vault_kv::VaultKv;
pub use way::{random_id, way_to};

/// Why the parts could not be joined.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("{0}")]
    Setting(String),
    /// The bucket for the bytes of files.
    #[error("{0}")]
    Bucket(String),
}

impl OpenError {
    /// The stable code, with a page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            OpenError::Store(error) => error.code(),
            OpenError::Vault(error) => error.code(),
            OpenError::Setting(_) => "BAD_SETTING",
            OpenError::Bucket(_) => "BUCKET_UNUSABLE",
        }
    }
}

/// An opened data folder for a process that wants to drive runs.
pub enum Opened {
    Here(Arc<App>),
    /// A server holds the engine lock; its address, when it has told one.
    Held {
        url: Option<String>,
    },
}

/// The file in the data folder in which a server says where it listens.
pub const ADDRESS_FILE: &str = "server.url";

/// Opens the data folder for a command: short writes and reads, no runs.
///
/// # Errors
/// [`OpenError`].
pub async fn open_for_command(settings: &Settings) -> Result<Arc<App>, OpenError> {
    open(settings, false).await
}

/// Opens the data folder to drive runs, unless a server does.
///
/// # Errors
/// [`OpenError`].
pub async fn open_for_running(settings: &Settings) -> Result<Opened, OpenError> {
    match open(settings, true).await {
        Ok(app) => Ok(Opened::Here(app)),
        Err(OpenError::Store(StoreError::Locked { .. })) => {
            let url = std::fs::read_to_string(settings.data.join(ADDRESS_FILE)).ok();
            Ok(Opened::Held { url: url.map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()) })
        }
        Err(error) => Err(error),
    }
}

/// Joins everything. `drive`: take the engine lock.
///
/// # Errors
/// [`OpenError`].
pub async fn open(settings: &Settings, drive: bool) -> Result<Arc<App>, OpenError> {
    if let Some(url) = &settings.postgres {
        return postgres::open(settings, url, drive).await;
    }
    if settings.roles != Roles::ALL {
        let reason = format!(
            "{}: {}: over the embedded store one process does everything; roles are for nodes over PostgreSQL",
            settings.source("node.roles"),
            settings.roles
        );
        return Err(OpenError::Setting(reason));
    }
    if settings.tags != Tags::default() {
        let reason = format!(
            "{}: {}: over the embedded store one process serves every tag; tags are for nodes over PostgreSQL",
            settings.source("node.tags"),
            settings.tags
        );
        return Err(OpenError::Setting(reason));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // The key comes before the database: a database whose key was never durable would be a box without one.
    let existing = settings.data.join(mainspring_store::DATABASE_FILE).exists();
    std::fs::create_dir_all(&settings.data).map_err(|error| mainspring_store::unwritable(&settings.data, &error))?;
    let ring = key_ring(settings, existing)?;
    let options = OpenOptions {
        hold_engine_lock: drive,
        auto_migrate: settings.auto_migrate,
        places: settings.runs_per_organization,
        objects: bucket(settings, drive).await?,
        ..OpenOptions::new(&settings.data, clock.clone())
    };
    let store = SqliteStore::open(options).await?;
    let marks: Arc<dyn CrashMarks> = if drive { crash_marks(&settings.data) } else { Arc::new(NoMarks) };
    join(settings, store, ring, clock, marks).await
}

/// The bucket that the settings name. One that cannot be used keeps a process that drives runs from starting: what it takes would be
/// lost or stuck.
async fn bucket(settings: &Settings, drive: bool) -> Result<Option<Arc<dyn FileBytes>>, OpenError> {
    if settings.bucket.bucket.is_empty() {
        return Ok(None);
    }
    let unusable = |error: StoreError| OpenError::Bucket(format!("{}: {error}", settings.source("files.bucket")));
    let bucket = Bucket::open(&settings.bucket).map_err(unusable)?;
    if drive {
        bucket.probe().await.map_err(unusable)?;
    }
    Ok(Some(Arc::new(bucket)))
}

/// Joins parts that are already open; tests bring their own store, clock and marks.
///
/// # Errors
/// [`OpenError`].
pub async fn join(
    settings: &Settings,
    store: Arc<dyn Store>,
    ring: KeyRing,
    clock: Arc<dyn Clock>,
    marks: Arc<dyn CrashMarks>,
) -> Result<Arc<App>, OpenError> {
    check_canary(&*store, &ring).await?;
    let signing = match &settings.jwt_secret {
        Some(secret) => SigningKeys::parse(secret.expose())?,
        None => SigningKeys::of_ring(&ring),
    };
    let vault = Arc::new(Vault::new(ring, Arc::new(OsEntropy)));
    let redactor = Arc::new(Redactor::new());
    let egress = Arc::new(Egress::new(policy(settings)?));
    let outside =
        Outside::new(settings.issuers.clone(), egress_for_issuers(settings, &egress)?, clock.clone(), settings.identity.private_issuers);
    let identity = Identity::new(signing, settings.identity.clone(), outside, Cost::STANDARD);
    let sandbox = Sandbox::new(settings.code.terms(settings));
    let helpers = apart(settings);
    let built_ins = built_ins(mainspring_providers::Parts { egress: egress.clone(), apart: helpers.clone() }, sandbox);
    let catalog = Arc::new(ServerCatalog::new(built_ins, egress.clone()));
    catalog.reload(&*store).await?;
    egress_rules::reload(&egress, &*store).await?;
    let engine = Engine::new(Parts {
        store: store.clone(),
        catalog: catalog.clone(),
        vault: vault.clone(),
        redactor: redactor.clone(),
        clock: clock.clone(),
        marks,
        settings: mainspring_engine::Settings {
            // A node that drives nothing queues what it starts.
            max_live: if settings.roles.worker { settings.max_live } else { 0 },
            environment: settings.environment.clone(),
            retention: settings.retention,
            files: settings.files,
            public_url: settings.public_url(),
            folders: mainspring_engine::FolderDoor(Arc::new(mainspring_providers::folders::MachineFolders::new(
                settings.watch_folders.clone(),
            ))),
            mailboxes: mainspring_engine::MailboxDoor(Arc::new(mainspring_providers::imap::ImapServers::new(egress.clone(), helpers))),
            // The only node there is serves everything.
            tags: settings.postgres.is_some().then(|| settings.tags.0.clone().into()),
            ..mainspring_engine::Settings::default()
        },
    });
    engine.credentials().load_keys().await.map_err(unsealed)?;
    engine.credentials().ensure_key(OrgId::LOCAL).await.map_err(unsealed)?;
    let metrics = Arc::new(Metrics::default());
    engine.measure_with(Arc::new(EngineMeter(metrics.clone())));
    let webhooks = WebhookRoutes::default();
    webhooks.reload(&*store).await?;
    let terms = live::Terms { alone: settings.postgres.is_none(), ..settings.live };
    // The random half of an id.
    let live = Hub::new(store.clone(), clock.clone(), terms, engine.new_id().as_u64_pair().1);
    let redis = match &settings.redis {
        Some(url) => Some(
            Redis::new(url, &settings.redis_prefix, clock.clone())
                .map_err(|reason| OpenError::Setting(format!("{}: {reason}", settings.source("redis.url"))))?,
        ),
        None => None,
    };
    let shared = redis.clone().filter(|_| settings.postgres.is_some());
    let shared = shared.map(|redis| Shared::new(redis, &settings.redis_prefix, clock.clone()));
    let limits = Limits::new(settings.limits.clone(), clock.clone(), shared);
    engine.watchers().on_change({
        let live = live.clone();
        Box::new(move |org, run| live.changed(org, run))
    });
    let flags = Flags::new(settings.dev);
    flags.reload(&*store).await?;
    let outbox = Outbox::new(settings.mail.server().and_then(|server| server.map(|server| Postman::new(&server)).transpose()).transpose());
    let audit = Audit::new(store.clone(), clock.clone());
    engine.on_credential_use({
        let audit = audit.clone();
        Box::new(move |used| audit.used(used))
    });
    engine.credentials().renew_tokens_by(Arc::new(tokens::Guarded { egress: egress.clone(), clock: clock.clone() }));
    engine.credentials().read_references_by(elsewhere(settings, &clock)?);
    let mode = Mode {
        dev: settings.dev,
        roles: settings.roles,
        embedded: settings.postgres.is_none(),
        listen: settings.listen,
        data: settings.data.clone(),
        environment: settings.environment.clone(),
        max_body: settings.max_body,
        cors_origins: settings.cors_origins.clone(),
        proxies: settings.limits.proxies.clone(),
        answer_within: i64::try_from(settings.answer_within.as_millis()).unwrap_or(60_000),
        metrics_token: settings.metrics_token.clone(),
        grace: settings.grace,
        started_at: clock.now(),
    };
    let app = Arc::new(App {
        engine,
        store,
        catalog,
        webhooks,
        plan_files: PlanFiles::default(),
        vault,
        identity,
        redactor,
        egress,
        clock,
        metrics,
        audit,
        live,
        flags,
        outbox,
        redis,
        limits,
        tracer: OnceLock::new(),
        mode,
    });
    tokens::tell_of_reconnects(&app);
    Ok(app)
}

/// Every provider that is there without a user's doing.
pub fn built_ins(parts: mainspring_providers::Parts, sandbox: Arc<Sandbox>) -> BuiltIns {
    let mut providers = mainspring_providers::built_ins(&parts);
    providers.push(mainspring_sandbox::provider(sandbox));
    BuiltIns::new(providers)
}

/// The argument by which the program is told to work apart.
pub(crate) const APART: &str = "work-apart";

/// Processes of this very program, also when its file was replaced meanwhile.
fn apart(settings: &Settings) -> Apart {
    let linux = Path::new("/proc/self/exe");
    let program = match &settings.helper {
        Some(program) => program.clone(),
        None if linux.exists() => linux.to_owned(),
        None => std::env::current_exe().unwrap_or_else(|_| "mainspring".into()),
    };
    Apart::program(program, &[APART])
}

fn unsealed(error: mainspring_engine::SealError) -> OpenError {
    match error {
        mainspring_engine::SealError::Store(error) => OpenError::Store(error),
        mainspring_engine::SealError::Vault(error) => OpenError::Vault(error),
    }
}

fn key_ring(settings: &Settings, existing: bool) -> Result<KeyRing, VaultError> {
    match &settings.encryption_key {
        Some(key) => KeyRing::parse(key.expose()),
        None => KeyRing::open_or_create_file(&settings.data.join("key"), existing, &OsEntropy),
    }
}

/// Proves that the keys which are at hand open what a copy holds, before anything of it is written. Makes no key. The folders
/// are those that may have a key file; `ENCRYPTION_KEY` wins.
///
/// # Errors
/// The vault's: no key, another key, or a key list without one that the copy needs.
pub fn check_keys(settings: &Settings, folders: &[&Path], head: &Head) -> Result<(), VaultError> {
    let Some(canary) = &head.canary else { return Ok(()) };
    let wanted = head.key_ids.join(", ");
    let file = folders.iter().map(|folder| folder.join("key")).find(|file| file.exists());
    let ring = match (&settings.encryption_key, file) {
        (Some(key), _) => KeyRing::parse(key.expose())?,
        (None, Some(file)) => KeyRing::open_or_create_file(&file, true, &OsEntropy)?,
        (None, None) => {
            let places: Vec<String> = folders.iter().map(|folder| folder.join("key").display().to_string()).collect();
            let reason =
                format!("the secrets are sealed by the key {wanted}; set ENCRYPTION_KEY to it, or put its file at {}", places.join(" or "));
            return Err(VaultError::KeyMissing { reason });
        }
    };
    ring.check_canary(canary)?;
    for id in &head.key_ids {
        let id = id.parse()?;
        if !ring.contains(id) {
            let given = ring.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
            return Err(VaultError::KeyUnknown { wanted: id, given });
        }
    }
    Ok(())
}

/// A wrong key beside existing data refuses to start, before anything is sealed with it.
async fn check_canary(store: &dyn Store, ring: &KeyRing) -> Result<(), OpenError> {
    match store.canary().await? {
        Some(canary) => drop(ring.check_canary(&canary)?),
        None => store.put_canary(&ring.canary(&OsEntropy)?).await?,
    }
    Ok(())
}

fn crash_marks(data: &Path) -> Arc<dyn CrashMarks> {
    match FileMarks::open(&data.join("in-flight")) {
        Ok(marks) => Arc::new(marks),
        Err(error) => {
            tracing::warn!(%error, "crash marks cannot be kept; a step that kills the process will be found later");
            Arc::new(NoMarks)
        }
    }
}

/// The way to secrets that are kept elsewhere, as far as the operator opened it.
fn elsewhere(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Arc<Elsewhere>, OpenError> {
    let terms = settings.references.clone();
    let vault = match (&terms.vault_url, &terms.vault_token) {
        (Some(url), Some(token)) => {
            let egress = way_to(url.host_str().unwrap_or_default(), settings.listen)
                .map_err(|reason| OpenError::Setting(format!("{}: {reason}", settings.source("secrets.vault_url"))))?;
            Some(VaultKv { egress, clock: clock.clone(), url: url.clone(), token: token.clone(), kept: Mutex::default() })
        }
        _ => None,
    };
    Ok(Arc::new(Elsewhere { terms, vault }))
}

/// The way to the issuers of logins: that of plans, unless the operator's own stand in a private network; then to those by name.
fn egress_for_issuers(settings: &Settings, egress: &Arc<Egress>) -> Result<Arc<Egress>, OpenError> {
    if !settings.identity.private_issuers {
        return Ok(egress.clone());
    }
    let wrong = |reason: String| OpenError::Setting(format!("{}: {reason}", settings.source("auth.oidc")));
    let mut hosts = Vec::new();
    for issuer in &settings.issuers {
        let host = url::Url::parse(&issuer.issuer).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        hosts.push(host.parse::<AllowedHost>().map_err(|error| wrong(format!("\"{host}\": {error}")))?);
    }
    let mut policy = Policy::new(Reach::AllowList(hosts));
    policy.own.push(settings.listen);
    Ok(Arc::new(Egress::new(policy)))
}

fn policy(settings: &Settings) -> Result<Policy, OpenError> {
    let mode = match settings.egress {
        EgressMode::Strict => Reach::Strict,
        EgressMode::Dev => Reach::Dev,
        EgressMode::AllowList => {
            let hosts: Result<Vec<AllowedHost>, OpenError> = settings
                .egress_allow
                .iter()
                .map(|text| {
                    text.parse().map_err(|error| OpenError::Setting(format!("{}: \"{text}\": {error}", settings.source("egress.allow"))))
                })
                .collect();
            Reach::AllowList(hosts?)
        }
    };
    let mut policy = Policy::new(mode);
    policy.own.push(settings.listen);
    policy.orgs_open_private = settings.orgs_open_private;
    policy.limits.breaker_after = settings.breaker_after;
    Ok(policy)
}
