//! The program's settings in one typed place: flag, else environment, else default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mainspring_model::credential::Secret;
use mainspring_model::store::Retention;

use crate::limits;
use crate::live;
use crate::roles::Roles;
use crate::tags::Tags;

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
    pub max_live: usize,
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
            dev: false,
            environment: "development".to_owned(),
            encryption_key: None,
            cors_origins: Vec::new(),
            max_body: 10 << 20,
            answer_within: Duration::from_secs(60),
            retention: Retention::default(),
            max_live: 2_048,
            roles: Roles::ALL,
            tags: Tags::default(),
            metrics_listen: None,
            metrics_token: None,
            redis: None,
            redis_prefix: "mainspring".to_owned(),
            live: live::Terms::default(),
            limits: limits::Terms::default(),
        }
    }
}

/// The shortest metrics token, in characters.
const MIN_TOKEN: usize = 16;

/// Why a setting cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct BadSetting {
    pub name: &'static str,
    pub reason: String,
}

impl Settings {
    /// The defaults with what the environment says. `get` reads one variable.
    ///
    /// # Errors
    /// A variable that does not read, by name; never its value when it is a secret.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Settings, BadSetting> {
        let mut settings = Settings { data: default_data(&get), ..Settings::default() };
        let first =
            |names: &[&'static str]| names.iter().find_map(|name| get(name).filter(|text| !text.is_empty()).map(|text| (*name, text)));
        if let Some((name, text)) = first(&["MAINSPRING_LISTEN"]) {
            settings.listen =
                text.parse().map_err(|_| BadSetting { name, reason: format!("\"{text}\" is no address; write 127.0.0.1:5000") })?;
        }
        if let Some((_, text)) = first(&["MAINSPRING_DATA"]) {
            settings.data = PathBuf::from(text);
        }
        if let Some((_, text)) = first(&["MAINSPRING_PLANS"]) {
            settings.plans = Some(PathBuf::from(text));
        }
        if let Some((name, text)) = first(&["MAINSPRING_EGRESS"]) {
            settings.egress = EgressMode::parse(&text)
                .ok_or_else(|| BadSetting { name, reason: format!("\"{text}\" is not strict, allow-list or dev") })?;
        }
        if let Some((_, text)) = first(&["MAINSPRING_EGRESS_ALLOW"]) {
            settings.egress_allow = list(&text);
        }
        if let Some((_, text)) = first(&["MAINSPRING_ENVIRONMENT", "ENVIRONMENT"]) {
            settings.environment = text;
        }
        if let Some((_, text)) = first(&["MAINSPRING_ENCRYPTION_KEY", "ENCRYPTION_KEY"]) {
            settings.encryption_key = Some(Secret::new(text));
        }
        if let Some((_, text)) = first(&["MAINSPRING_CORS_ORIGINS", "CORS_ORIGINS"]) {
            settings.cors_origins = list(&text);
        }
        if let Some((name, text)) = first(&["MAINSPRING_MAX_BODY"]) {
            settings.max_body = text.parse().map_err(|_| BadSetting { name, reason: format!("\"{text}\" is no number of bytes") })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_KEEP_RUNS_FOR"]) {
            settings.retention.max_age = mainspring_model::duration::parse_text(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_KEEP_RUNS"]) {
            settings.retention.max_runs =
                text.parse().map_err(|_| BadSetting { name, reason: format!("\"{text}\" is no number of runs") })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_ROLES"]) {
            settings.roles = text.parse().map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_TAGS"]) {
            settings.tags = text.parse().map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_METRICS_LISTEN"]) {
            let address =
                text.parse().map_err(|_| BadSetting { name, reason: format!("\"{text}\" is no address; write 127.0.0.1:9464") })?;
            settings.metrics_listen = Some(address);
        }
        if let Some((name, text)) = first(&["MAINSPRING_METRICS_TOKEN"]) {
            if text.len() < MIN_TOKEN {
                return Err(BadSetting { name, reason: format!("it is shorter than {MIN_TOKEN} characters, so it could be guessed") });
            }
            settings.metrics_token = Some(Secret::new(text));
        }
        if let Some((_, text)) = first(&["MAINSPRING_REDIS_URL", "REDIS_URL"]) {
            settings.redis = Some(Secret::new(text));
        }
        if let Some((_, text)) = first(&["MAINSPRING_REDIS_PREFIX"]) {
            settings.redis_prefix = text;
        }
        if let Some((name, text)) = first(&["MAINSPRING_RATE_LIMIT_PER_MINUTE", "RATE_LIMIT_PER_MINUTE"]) {
            settings.limits.budgets[0] = limits::requests(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_RATE_LIMIT_PER_HOUR", "RATE_LIMIT_PER_HOUR"]) {
            settings.limits.budgets[1] = limits::requests(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_TRUSTED_PROXIES"]) {
            settings.limits.proxies = limits::networks(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_DATABASE_URL", "DATABASE_URL"]) {
            settings.use_database_url(name, &text)?;
        }
        if let Some((_, text)) = first(&["MAINSPRING_MIGRATE_DATABASE_URL", "MIGRATE_DATABASE_URL"]) {
            settings.migrate_url = Some(Secret::new(text));
        }
        if let Some((name, text)) = first(&["MAINSPRING_AUTO_MIGRATE"]) {
            settings.auto_migrate = text.parse().map_err(|_| BadSetting { name, reason: format!("\"{text}\" is not true or false") })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_LEASE"]) {
            settings.lease = mainspring_model::duration::parse_text(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        if let Some((name, text)) = first(&["MAINSPRING_DATABASE_PATIENCE"]) {
            settings.patience = mainspring_model::duration::parse_text(&text).map_err(|reason| BadSetting { name, reason })?;
        }
        Ok(settings)
    }

    /// `sqlite:<folder>` names the data folder, `postgres://…` the database of many nodes.
    ///
    /// # Errors
    /// The reason, without the URL: it may hold a password.
    pub fn use_database_url(&mut self, name: &'static str, url: &str) -> Result<(), BadSetting> {
        if let Some(folder) = url.strip_prefix("sqlite:") {
            self.postgres = None;
            self.data = PathBuf::from(folder.trim_start_matches("//"));
            return Ok(());
        }
        let scheme = url.split(':').next().unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql") {
            let reason = format!(
                "\"{scheme}\" databases are not supported; write postgres://… or sqlite:<folder>, or leave it out for the data folder"
            );
            return Err(BadSetting { name, reason });
        }
        self.postgres = Some(Secret::new(url.to_owned()));
        Ok(())
    }
}

impl EgressMode {
    pub fn parse(text: &str) -> Option<EgressMode> {
        match text {
            "strict" => Some(EgressMode::Strict),
            "allow-list" => Some(EgressMode::AllowList),
            "dev" => Some(EgressMode::Dev),
            _ => None,
        }
    }
}

/// `$XDG_DATA_HOME/mainspring`, else `~/.local/share/mainspring`, else a folder here.
fn default_data(get: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let home = |name: &str| get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    home("XDG_DATA_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from("mainspring-data"), |base| base.join("mainspring"))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let map: HashMap<&str, &str> = pairs.iter().copied().collect();
        Settings::from_environment(|name| map.get(name).map(|text| (*text).to_owned()))
    }

    #[test]
    fn the_owners_address_is_read_before_the_database_is_known() {
        let mut settings = read(&[("MIGRATE_DATABASE_URL", "postgres://o:p@db/x"), ("MAINSPRING_LEASE", "3s")]).unwrap();
        settings.use_database_url("--database-url", "postgres://n:p@db/x").unwrap();
        assert!(settings.postgres.is_some() && settings.migrate_url.is_some());
        assert_eq!(settings.lease, Duration::from_secs(3));
    }

    #[test]
    fn earlier_names_are_read_and_ours_win() {
        let settings = read(&[("ENVIRONMENT", "production"), ("CORS_ORIGINS", "https://a.example, https://b.example")]).unwrap();
        assert_eq!(settings.environment, "production");
        assert_eq!(settings.cors_origins, ["https://a.example", "https://b.example"]);
        let settings = read(&[("ENVIRONMENT", "production"), ("MAINSPRING_ENVIRONMENT", "staging")]).unwrap();
        assert_eq!(settings.environment, "staging");
    }

    #[test]
    fn limits_are_off_unless_set() {
        assert_eq!(read(&[]).unwrap().limits, limits::Terms::default());
        let settings =
            read(&[("RATE_LIMIT_PER_MINUTE", "60"), ("RATE_LIMIT_PER_HOUR", "1000"), ("MAINSPRING_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]);
        let limits = settings.unwrap().limits;
        assert_eq!((limits.budgets, limits.proxies.len()), ([60, 1_000], 2));
        for (name, text) in
            [("RATE_LIMIT_PER_MINUTE", "many"), ("RATE_LIMIT_PER_HOUR", "1000000001"), ("MAINSPRING_TRUSTED_PROXIES", "proxy")]
        {
            let error = read(&[(name, text)]).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_bad_value_names_its_variable_and_a_database_url_keeps_its_password() {
        assert_eq!(
            read(&[("MAINSPRING_LISTEN", "here")]).unwrap_err().to_string(),
            "MAINSPRING_LISTEN: \"here\" is no address; write 127.0.0.1:5000"
        );
        assert_eq!(
            read(&[("MAINSPRING_METRICS_TOKEN", "short")]).unwrap_err().to_string(),
            "MAINSPRING_METRICS_TOKEN: it is shorter than 16 characters, so it could be guessed"
        );
        let error = read(&[("DATABASE_URL", "mysql://u:hunter2@db/x")]).unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("\"mysql\""), "{error}");
        let settings =
            read(&[("DATABASE_URL", "postgres://u:hunter2@db/x"), ("MIGRATE_DATABASE_URL", "postgres://o:hunter3@db/x")]).unwrap();
        let shown = format!("{settings:?}");
        assert!(settings.postgres.is_some() && settings.migrate_url.is_some());
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
