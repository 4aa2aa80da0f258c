//! The program's settings in one typed place: flag, else variable, else file, else default, and where each came from.

pub mod code;
mod file;
mod files;
mod page;
mod read;
mod secrets;
mod seeing;
mod setting;
mod source;
mod table;
mod template;
mod traces;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mainspring_engine::FileTerms;
use mainspring_model::credential::Secret;
use mainspring_model::store::Retention;
use mainspring_store::BucketTerms;

use crate::identity;
use crate::limits;
use crate::live;
use crate::mail;
use crate::references;
use crate::roles::Roles;
use crate::tags::Tags;
use crate::traces::Terms as TraceTerms;

pub use code::Code;
pub use file::{File, find};
pub use page::page;
pub use read::{Flag, default_data, read};
pub use setting::{Kind, Setting};
pub use source::{BadSetting, BadSettings, Source, Sources};
pub use table::{SETTINGS, setting};
pub use template::{env_example, toml_template};

/// Where plans may send requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressMode {
    /// Public addresses only.
    Strict,
    /// Public addresses and what the operator listed.
    AllowList,
    /// Public addresses and loopback.
    Dev,
}

/// Everything that can be set, with its default.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub data: PathBuf,
    /// The address of the database of many nodes, which takes the place of the embedded store.
    pub postgres: Option<Secret>,
    /// Of the role that owns its schema, when that is not the nodes' role.
    pub migrate_url: Option<Secret>,
    /// How long a silent node counts as alive.
    pub lease: Duration,
    /// How long a node goes on without its database before it ends, for its service manager to start it again.
    pub patience: Duration,
    /// Apply migrations at the start; without it a database that lacks one is refused.
    pub auto_migrate: bool,
    /// Plan files loaded at start.
    pub plans: Option<PathBuf>,
    pub egress: EgressMode,
    /// `host[:port]`, address or network each; for [`EgressMode::AllowList`].
    pub egress_allow: Vec<String>,
    /// An organization's own list may open private addresses to its plans.
    pub orgs_open_private: bool,
    /// Failures in a row after which calls to a host are held back; 0 is never.
    pub breaker_after: u32,
    pub dev: bool,
    /// `development`, `production`, or a name of the operator's.
    pub environment: String,
    /// `ENCRYPTION_KEY`: base64 of 32 bytes, a comma list, the first seals. Without it a key file in the data folder is used.
    pub encryption_key: Option<Secret>,
    pub cors_origins: Vec<String>,
    pub max_body: usize,
    /// How long callers that wait for a run are held.
    pub answer_within: Duration,
    pub retention: Retention,
    pub files: FileTerms,
    /// Where the bytes of files are kept instead; its bucket is empty when none is named.
    pub bucket: BucketTerms,
    /// Folders below which plans may watch.
    pub watch_folders: Vec<mainspring_providers::folders::WatchRoot>,
    /// Older entries of the audit log are removed.
    pub keep_audit: Duration,
    /// Between the deletion of an organization and the removal of its rows.
    pub grace: Duration,
    pub max_live: usize,
    /// How many runs of one organization may be at work, over all nodes.
    pub runs_per_organization: Option<u32>,
    /// The program whose processes work apart; this one itself unless a test, which is another program, says so.
    pub helper: Option<PathBuf>,
    pub roles: Roles,
    /// What the workers of this node serve.
    pub tags: Tags,
    /// The figures' own address.
    pub metrics_listen: Option<SocketAddr>,
    /// Opens `/metrics` on the server's own address.
    pub metrics_token: Option<Secret>,
    /// The address of a Redis that shortens the way of live updates between nodes.
    pub redis: Option<Secret>,
    /// What our keys and channels in Redis begin with.
    pub redis_prefix: String,
    pub live: live::Terms,
    pub limits: limits::Terms,
    pub mail: mail::Terms,
    pub traces: TraceTerms,
    /// Where errors of the program are reported; checked at the start.
    pub sentry_dsn: Option<Secret>,
    /// What signs access tokens; derived from the encryption key unless it is set.
    pub jwt_secret: Option<Secret>,
    pub identity: identity::Terms,
    /// Where people log in beside here.
    pub issuers: Vec<identity::outside::Issuer>,
    /// The list as it was written: there are secrets in it.
    pub oidc: Option<Secret>,
    /// Which secrets, kept elsewhere, credentials may name.
    pub references: references::Terms,
    /// How users' code is run.
    pub code: Code,
    /// The log's filter; `None` leaves it to the command.
    pub log: Option<String>,
    /// Its lines are JSON; `None` leaves it to the environment.
    pub log_json: Option<bool>,
    /// Where each of them came from.
    pub sources: Sources,
}

impl Settings {
    /// Where people and services reach the program, without a slash at the end.
    pub fn public_url(&self) -> String {
        match &self.identity.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 5000)),
            data: PathBuf::from("mainspring-data"),
            postgres: None,
            migrate_url: None,
            lease: Duration::from_secs(10),
            patience: Duration::from_secs(60),
            auto_migrate: true,
            plans: None,
            egress: EgressMode::Strict,
            egress_allow: Vec::new(),
            orgs_open_private: false,
            breaker_after: 10,
            dev: false,
            environment: "development".to_owned(),
            encryption_key: None,
            cors_origins: Vec::new(),
            max_body: 10 << 20,
            answer_within: Duration::from_secs(60),
            retention: Retention::default(),
            files: FileTerms::default(),
            bucket: BucketTerms::default(),
            watch_folders: Vec::new(),
            keep_audit: Duration::from_secs(2_555 * 86_400),
            grace: Duration::from_secs(7 * 86_400),
            max_live: 2_048,
            runs_per_organization: None,
            helper: None,
            roles: Roles::ALL,
            tags: Tags::default(),
            metrics_listen: None,
            metrics_token: None,
            redis: None,
            redis_prefix: "mainspring".to_owned(),
            live: live::Terms::default(),
            limits: limits::Terms::default(),
            mail: mail::Terms::default(),
            traces: TraceTerms::default(),
            sentry_dsn: None,
            jwt_secret: None,
            identity: identity::Terms::default(),
            issuers: Vec::new(),
            oidc: None,
            references: references::Terms::default(),
            code: Code::default(),
            log: None,
            log_json: None,
            sources: Sources::default(),
        }
    }
}

impl Settings {
    /// The defaults with what the environment says, and no file. `get` reads one variable.
    ///
    /// # Errors
    /// Every variable that does not read, by name; never its value when it is a secret.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Settings, BadSettings> {
        read(&[], &get, None)
    }

    /// Takes another database or data folder than the settings name; `name` is the flag that says so.
    ///
    /// # Errors
    /// The reason, without the URL: it may hold a password.
    pub fn use_database_url(&mut self, name: &'static str, url: &str) -> Result<(), BadSettings> {
        values::database_url(self, url).map_err(|reason| BadSetting { code: "BAD_SETTING", place: name.to_owned(), reason })?;
        Ok(())
    }

    /// Where a setting came from.
    pub fn source(&self, key: &str) -> &Source {
        self.sources.of(key)
    }

    /// `production`, where what would be warned of is refused.
    pub fn is_production(&self) -> bool {
        self.environment == "production"
    }
}

impl EgressMode {
    pub fn parse(text: &str) -> Option<EgressMode> {
        [EgressMode::Strict, EgressMode::AllowList, EgressMode::Dev].into_iter().find(|mode| mode.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            EgressMode::Strict => "strict",
            EgressMode::AllowList => "allow-list",
            EgressMode::Dev => "dev",
        }
    }
}
