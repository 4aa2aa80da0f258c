//! `mainspring serve`: the server's flags, and its start.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use crate::serve::{self, ServeError};
use crate::settings::{self, EgressMode, Flag, Settings, Source};

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
        settings.egress = self.mode();
    }

    fn mode(self) -> EgressMode {
        match self {
            Egress::Strict => EgressMode::Strict,
            Egress::AllowList => EgressMode::AllowList,
            Egress::Dev => EgressMode::Dev,
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring serve --dev
  mainspring serve --listen 0.0.0.0:8080 --data /var/lib/mainspring --plans /etc/mainspring/plans
  mainspring serve --egress allow-list --allow 10.0.0.0/8 --allow printer.local:9100

A flag wins over its variable, a variable over the settings file; `mainspring config print` shows them all, and what holds.
Only --dev is a flag alone. Without it callers need an API key: mainspring api-key create. What the server needs is checked
before its port opens; `mainspring doctor` checks the same.")]
pub(crate) struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", value_parser = reads("listen"))]
    listen: Option<String>,
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
    #[arg(long, value_name = "LIST", value_parser = reads("node.roles"))]
    roles: Option<String>,
    /// What this node's workers serve of what plans ask for (`tag`), a comma list; `default` is for steps without one. Needs
    /// PostgreSQL: a node alone serves everything.
    #[arg(long, value_name = "LIST", value_parser = reads("node.tags"))]
    tags: Option<String>,
    /// Serve figures for monitoring on this address (GET /metrics). Not public: choose one that only the monitor reaches.
    #[arg(long, value_name = "ADDR", value_parser = reads("metrics.listen"))]
    metrics_listen: Option<String>,
    /// Every caller on loopback is the local owner, without a key. Only for your own machine.
    #[arg(long)]
    dev: bool,
    /// What `run.environment` says in plans; `production` refuses settings that are unsafe.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A web page's origin that may call from a browser. May be repeated.
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Finished runs are removed when they are older than this (14d).
    #[arg(long, value_name = "DURATION", value_parser = reads("runs.keep_for"))]
    keep_runs_for: Option<String>,
}

/// Takes what the setting's own reader takes, and leaves it as it was written. Not for secrets: clap repeats what it refuses.
pub(crate) fn reads(key: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text| {
        let setting = settings::setting(key).expect("every flag is in the table of settings");
        (setting.take)(&mut Settings::default(), text)?;
        Ok(text.to_owned())
    }
}

pub(crate) async fn run(cx: &Cx, serve: &Serve) -> Result<Exit, Failure> {
    let settings = settings(cx, serve)?;
    serve::serve(settings).await?;
    Ok(Exit::Ok)
}

/// Flags over the environment over the file over the defaults.
pub(crate) fn settings(cx: &Cx, serve: &Serve) -> Result<Settings, Failure> {
    let settings = environment::settings(&cx.global, serve.flags())?;
    if matches!(settings.source("egress.allow"), Source::Flag { .. }) && settings.egress != EgressMode::AllowList {
        return Err(Failure::usage("--allow needs --egress allow-list: the other modes read no list"));
    }
    Ok(settings)
}

impl Serve {
    fn flags(&self) -> Vec<Flag> {
        let text = |key, given: &Option<String>| given.as_ref().map(|text| Flag::new(key, text));
        let list = |key, given: &[String]| (!given.is_empty()).then(|| Flag::new(key, given.join(",")));
        let flags = [
            text("listen", &self.listen),
            text("database.url", &self.database_url),
            self.no_auto_migrate.then(|| Flag::new("database.auto_migrate", "false")),
            self.plans.as_ref().map(|folder| Flag::new("plans", folder.display().to_string())),
            self.egress.map(|egress| Flag::new("egress.mode", egress.mode().as_str())),
            list("egress.allow", &self.allow),
            text("node.roles", &self.roles),
            text("node.tags", &self.tags),
            text("metrics.listen", &self.metrics_listen),
            self.dev.then(|| Flag::new("dev", "true")),
            text("environment", &self.environment),
            list("http.cors_origins", &self.cors_origin),
            text("runs.keep_for", &self.keep_runs_for),
        ];
        flags.into_iter().flatten().collect()
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        let (code, message) = (error.code(), error.to_string());
        match error {
            ServeError::Open(error) => error.into(),
            ServeError::PortInUse { .. } => Failure::new(Exit::Conflict, code, message),
            ServeError::Lost { .. } => Failure::new(Exit::DatabaseLost, code, message),
            ServeError::Listen { .. } | ServeError::DevAddress { .. } => Failure::new(Exit::Invalid, code, message),
            ServeError::Refused(_) => {
                Failure::new(Exit::Invalid, code, message).next("`mainspring config print` shows every setting and its source")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::settings::SETTINGS;

    fn read(args: &[&str]) -> Result<Settings, String> {
        let cli = Cli::try_parse_from([&["mainspring", "serve"], args].concat()).map_err(|error| error.to_string())?;
        let Command::Serve(serve) = cli.command else { panic!("serve was asked for") };
        settings::read(&serve.flags(), &|_| None, None).map_err(|bad| bad.to_string())
    }

    #[test]
    fn every_flag_of_the_table_arrives_at_its_setting() {
        for setting in SETTINGS.iter() {
            let Some(flag) = setting.flag else { continue };
            let example = setting.examples[0];
            let args: Vec<&str> = match setting.key {
                // Of every command; `environment::settings` hands it on.
                "data" => continue,
                "dev" | "database.auto_migrate" => vec![flag],
                _ => vec![flag, example],
            };
            let settings = read(&args).unwrap();
            let mut alone = Settings::default();
            (setting.take)(&mut alone, example).unwrap();
            assert_eq!((setting.value)(&settings), (setting.value)(&alone), "{flag}");
            assert_eq!(settings.source(setting.key), &Source::Flag { name: flag });
        }
    }

    #[test]
    fn lists_are_repeated_and_a_port_is_this_machines() {
        let settings = read(&["--listen", "8080", "--allow", "10.0.0.0/8", "--allow", "a:1", "--database-url", "sqlite:/tmp/x"]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.egress_allow, ["10.0.0.0/8", "a:1"]);
        assert_eq!(settings.data, PathBuf::from("/tmp/x"));
    }

    #[test]
    fn wrong_flags_say_what_to_write() {
        assert!(read(&["--listen", "here"]).unwrap_err().contains("127.0.0.1:5000"));
        let refused = read(&["--database-url", "mysql://u:hunter2@h/db"]).unwrap_err();
        assert!(refused.contains("\"mysql\"") && refused.contains("postgres://") && !refused.contains("hunter2"), "{refused}");
        assert!(read(&["--roles", "api,driver"]).unwrap_err().contains("api, worker, scheduler"));
    }
}
