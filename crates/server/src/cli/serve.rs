//! `mainspring serve`: the server's flags, and its start.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mainspring_model::duration;

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use crate::roles::Roles;
use crate::serve::{self, ServeError};
use crate::settings::{EgressMode, Settings};
use crate::tags::Tags;

/// Where plans may send requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Egress {
    /// Public addresses only.
    Strict,
    /// Public addresses, and what MAINSPRING_EGRESS_ALLOW (for the server --allow too) lists.
    AllowList,
    /// Public addresses and this machine's loopback.
    Dev,
}

impl Egress {
    pub(crate) fn apply(self, settings: &mut Settings) {
        settings.egress = match self {
            Egress::Strict => EgressMode::Strict,
            Egress::AllowList => EgressMode::AllowList,
            Egress::Dev => EgressMode::Dev,
        };
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring serve --dev
  mainspring serve --listen 0.0.0.0:8080 --data /var/lib/mainspring --plans /etc/mainspring/plans
  mainspring serve --egress allow-list --allow 10.0.0.0/8 --allow printer.local:9100

Flags have variables of the same names, MAINSPRING_LISTEN for --listen; a flag wins. --allow is MAINSPRING_EGRESS_ALLOW
and --cors-origin is MAINSPRING_CORS_ORIGINS, both comma lists; --dev has none. ENCRYPTION_KEY (base64 of 32 bytes, a
comma list, the first seals) takes the place of the key file in the data folder. Without --dev callers need an API key:
mainspring api-key create.")]
pub(crate) struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The database: `postgres://…` for one of many nodes; `sqlite:<folder>` is another way to name the data folder. Better set
    /// as DATABASE_URL when it has a password: others on this machine see arguments.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Refuse a database that lacks migrations instead of applying them; `mainspring migrate up` does.
    #[arg(long)]
    no_auto_migrate: bool,
    /// Load every plan file of this folder at the start.
    #[arg(long, value_name = "DIR")]
    plans: Option<PathBuf>,
    /// Where plans may send requests. `dev` with --dev, else `strict`.
    #[arg(long, value_enum, value_name = "MODE")]
    egress: Option<Egress>,
    /// An address, network or host that plans may reach, with --egress allow-list. May be repeated.
    #[arg(long, value_name = "HOST[:PORT]")]
    allow: Vec<String>,
    /// What this node does, a comma list of api, worker, scheduler. All by default; less needs PostgreSQL and other nodes.
    #[arg(long, value_name = "LIST")]
    roles: Option<Roles>,
    /// What this node's workers serve of what plans ask for (`tag`), a comma list; `default` is for steps without one. Needs
    /// PostgreSQL: a node alone serves everything.
    #[arg(long, value_name = "LIST")]
    tags: Option<Tags>,
    /// Serve figures for monitoring on this address (GET /metrics). Not public: choose one that only the monitor reaches.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    metrics_listen: Option<SocketAddr>,
    /// Every caller on loopback is the local owner, without a key. Only for your own machine.
    #[arg(long)]
    dev: bool,
    /// What `run.environment` says in plans.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A web page's origin that may call from a browser. May be repeated.
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Finished runs are removed when they are older than this (14d).
    #[arg(long, value_name = "DURATION", value_parser = keep)]
    keep_runs_for: Option<Duration>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    // A bare port is this machine's; a name is looked up once.
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let wrong = || format!("\"{text}\" is no address; write 127.0.0.1:5000, [::1]:5000 or localhost:5000");
    text.to_socket_addrs().map_err(|_| wrong())?.next().ok_or_else(wrong)
}

fn keep(text: &str) -> Result<Duration, String> {
    duration::parse_text(text)
}

pub(crate) async fn run(cx: &Cx, serve: &Serve) -> Result<Exit, Failure> {
    let settings = settings(cx, serve)?;
    serve::serve(settings).await?;
    Ok(Exit::Ok)
}

/// Flags over the environment over the defaults.
pub(crate) fn settings(cx: &Cx, serve: &Serve) -> Result<Settings, Failure> {
    let mut settings = environment::settings()?;
    apply(cx, serve, &mut settings, environment::variable("MAINSPRING_EGRESS").is_some())?;
    Ok(settings)
}

fn apply(cx: &Cx, serve: &Serve, settings: &mut Settings, egress_is_set: bool) -> Result<(), Failure> {
    if let Some(data) = &cx.global.data {
        settings.data.clone_from(data);
    }
    if cx.global.folder_is_named {
        settings.postgres = None;
    }
    if let Some(url) = &serve.database_url {
        settings.use_database_url("--database-url", url)?;
    }
    settings.auto_migrate &= !serve.no_auto_migrate;
    settings.dev |= serve.dev;
    match serve.egress {
        Some(egress) => egress.apply(settings),
        // Whoever develops calls services on the same machine.
        None if settings.dev && !egress_is_set => settings.egress = EgressMode::Dev,
        None => {}
    }
    settings.egress_allow.extend(serve.allow.iter().cloned());
    settings.cors_origins.extend(serve.cors_origin.iter().cloned());
    if !serve.allow.is_empty() && settings.egress != EgressMode::AllowList {
        return Err(Failure::usage("--allow needs --egress allow-list: the other modes read no list"));
    }
    settings.listen = serve.listen.unwrap_or(settings.listen);
    settings.roles = serve.roles.unwrap_or(settings.roles);
    if let Some(tags) = &serve.tags {
        settings.tags.clone_from(tags);
    }
    settings.metrics_listen = serve.metrics_listen.or(settings.metrics_listen);
    settings.plans = serve.plans.clone().or(settings.plans.take());
    if let Some(environment) = &serve.environment {
        settings.environment.clone_from(environment);
    }
    settings.retention.max_age = serve.keep_runs_for.unwrap_or(settings.retention.max_age);
    Ok(())
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        let (code, message) = (error.code(), error.to_string());
        match error {
            ServeError::Open(error) => error.into(),
            ServeError::PortInUse { .. } => Failure::new(Exit::Conflict, code, message),
            ServeError::Lost { .. } => Failure::new(Exit::DatabaseLost, code, message),
            ServeError::Listen { .. } | ServeError::DevAddress { .. } => Failure::new(Exit::Invalid, code, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn read(args: &[&str]) -> Result<Settings, String> {
        let cli = Cli::try_parse_from([&["mainspring", "serve"], args].concat()).map_err(|error| error.to_string())?;
        let Command::Serve(serve) = cli.command else { panic!("serve was asked for") };
        let mut settings = Settings::default();
        apply(&Cx::new(cli.global), &serve, &mut settings, false).map_err(|failure| failure.message)?;
        Ok(settings)
    }

    #[test]
    fn flags_become_settings() {
        let args =
            ["--listen", "8080", "--data", "d", "--plans", "p", "--egress", "allow-list", "--allow", "10.0.0.0/8", "--keep-runs-for", "7d"];
        let settings = read(&args).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((settings.data, settings.plans), (PathBuf::from("d"), Some(PathBuf::from("p"))));
        assert_eq!((settings.egress, settings.egress_allow), (EgressMode::AllowList, vec!["10.0.0.0/8".to_owned()]));
        assert_eq!(settings.retention.max_age, Duration::from_secs(7 * 86_400));
        assert_eq!(read(&["--database-url", "sqlite:/tmp/x"]).unwrap().data, PathBuf::from("/tmp/x"));
    }

    #[test]
    fn dev_mode_lets_plans_reach_loopback_unless_told_otherwise() {
        assert_eq!(read(&["--dev"]).unwrap().egress, EgressMode::Dev);
        assert_eq!(read(&["--dev", "--egress", "strict"]).unwrap().egress, EgressMode::Strict);
        assert_eq!(read(&[]).unwrap().egress, EgressMode::Strict);
    }

    #[test]
    fn wrong_flags_say_what_to_write() {
        assert!(read(&["--listen", "here"]).unwrap_err().contains("127.0.0.1:5000"));
        assert!(read(&["--allow", "10.0.0.1"]).unwrap_err().contains("--egress allow-list"));
        let refused = read(&["--database-url", "mysql://u:hunter2@h/db"]).unwrap_err();
        assert!(refused.contains("\"mysql\"") && refused.contains("postgres://") && !refused.contains("hunter2"), "{refused}");
        assert!(read(&["--roles", "api,driver"]).unwrap_err().contains("api, worker, scheduler"));
    }
}
