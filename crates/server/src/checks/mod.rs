//! What has to hold before the server opens its port: named checks, each critical or not, shared by the start and `doctor`.

mod bucket;
mod code;
mod database;
mod exposure;
mod fix;
mod folder;
mod machine;
mod plans;
mod redis;
mod report;
mod secrets;
mod sentry;
mod smtp;

use std::path::Path;
use std::sync::Arc;

use mainspring_model::catalog::Catalog;
use serde::Serialize;

use crate::app::App;
use crate::cli::failure::Failure;
use crate::settings::Settings;
use crate::wire::OpenError;

pub(crate) use fix::mend;
pub(crate) use report::{lines, report, table};
pub(crate) use secrets::is_placeholder;

/// Every check: its name, whether the server refuses to start when it fails, and what it looks at.
pub const NAMES: &[(&str, bool, &str)] = &[
    ("settings", true, "flags, variables and the file read, and which file was read"),
    ("dev mode", true, "`--dev` stays out of production"),
    ("cors", true, "every origin is one, and none is `*`"),
    ("secrets", true, "no secret is known from documents, short or of little variety, and no file with one is open to others"),
    ("data folder", true, "it is there, or can be made, and can be written"),
    ("free disk", false, "space where the data lies"),
    ("engine lock", true, "no other process drives the runs of the data folder"),
    ("key ring", true, "the keys open the canary that was sealed when the database was made"),
    ("migrations", true, "those of this version are there, unchanged, and no others"),
    ("tables", true, "every table that this version needs is there"),
    ("store", true, "a bounded write and a read"),
    ("clock", true, "the machine's time can be true, agrees with the database's, and is not before the newest run"),
    ("providers", true, "every provider has its actions, and each its schema"),
    ("plan files", false, "every file of the plan folder would load; one that would not keeps its last good version"),
    ("code", false, "a process for users' code starts and is held back as `code.isolation` says; if not, what is missing"),
    ("bucket", true, "an object can be written, read and removed in the bucket that keeps the bytes of files"),
    ("redis", false, "the configured Redis answers; without it live updates of other nodes take about a second"),
    ("smtp", false, "the configured mail server lets itself be greeted and logged in to; without one mails stay in the log, or wait"),
    ("sentry", false, "the DSN for error reports is one; without one errors stand in the log"),
    ("port", true, "the address can be listened on"),
];

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Ok,
    /// Works, but look at it.
    Warning,
    /// Mainspring cannot work like this.
    Failed,
    /// There is nothing to check yet.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub(crate) name: &'static str,
    /// The server does not start when it fails.
    pub(crate) critical: bool,
    pub(crate) state: State,
    /// What was found; never the value of a secret.
    pub(crate) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// The stable code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

impl Check {
    pub(crate) fn new(name: &'static str, state: State, found: impl Into<String>) -> Check {
        let critical = NAMES.iter().any(|(known, critical, _)| *known == name && *critical);
        Check { name, critical, state, found: found.into(), next: None, code: None }
    }

    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check::new(name, State::Ok, found)
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Check {
        self.next = Some(next.into());
        self
    }

    pub(crate) fn code(mut self, code: &str) -> Check {
        self.code = Some(code.to_owned());
        self
    }

    pub(crate) fn failed(name: &'static str, failure: Failure) -> Check {
        Check { next: failure.next, code: Some(failure.code.into_owned()), ..Check::new(name, State::Failed, failure.message) }
    }

    /// Nothing has to be done.
    pub(crate) fn is_fine(&self) -> bool {
        matches!(self.state, State::Ok | State::Skipped)
    }

    /// Keeps the server from starting.
    pub(crate) fn refuses(&self) -> bool {
        self.critical && self.state == State::Failed
    }
}

/// A finding that is borne on one's own machine and refused in production.
fn unsafe_setting(settings: &Settings, name: &'static str, found: String, next: &str) -> Check {
    let state = if settings.is_production() { State::Failed } else { State::Warning };
    Check::new(name, state, found).next(next).code("UNSAFE_SETTING")
}

/// What can be said of the settings alone. Opens and makes nothing.
pub(crate) fn of_settings(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![exposure::read(settings), exposure::dev_mode(settings)];
    checks.extend(exposure::cors(settings));
    checks.extend(secrets::kept(settings));
    checks
}

/// What the parts that were opened are like; those of the start, so nothing is tried that the opening has shown.
pub(crate) async fn of_parts(settings: &Settings, app: &App) -> Vec<Check> {
    let mut checks = Vec::new();
    if app.mode.embedded {
        checks.push(Check::ok("data folder", format!("{} can be written", settings.data.display())));
        checks.push(machine::disk(&settings.data));
        checks.push(Check::ok("engine lock", "this process drives the runs here"));
    }
    checks.push(database::keys(app));
    checks.push(database::migrations(app).await);
    checks.push(database::tables());
    checks.push(database::clock(app).await);
    checks.push(machine::providers(&*app.catalog));
    checks.push(plans::readable(settings.plans.as_deref(), &*app.catalog));
    checks.push(code::runs(settings).await);
    checks.push(bucket::was_tried(settings));
    checks.push(redis::answers(settings).await);
    checks.push(smtp::answers(settings).await);
    checks.push(sentry::reads(settings));
    checks
}

/// The check to which an opening that failed belongs, by its code.
pub(crate) fn name_of(code: &str) -> &'static str {
    match code {
        code if code.starts_with("VAULT_") => "key ring",
        "STORE_NEWER" | "MIGRATION_CHANGED" | "STORE_PENDING" => "migrations",
        "TABLES_MISSING" => "tables",
        "STORE_LOCKED" => "engine lock",
        "STORE_READ_ONLY" => "data folder",
        "BAD_SETTING" => "settings",
        "BUCKET_UNUSABLE" => "bucket",
        _ => "store",
    }
}

fn of_refusal(error: OpenError) -> Check {
    Check::failed(name_of(error.code()), Failure::from(error))
}

/// Everything, as `doctor` looks: nothing is made, and what is not there yet is skipped. Also the parts, when they opened.
pub(crate) async fn all(settings: &Settings, catalog: impl AsyncFnOnce() -> Arc<dyn Catalog>, folder: Option<&Path>) -> Vec<Check> {
    let mut checks = of_settings(settings);
    // What is kept lies in the database when there is one.
    if settings.postgres.is_none() {
        checks.extend([folder::writable(&settings.data), machine::disk(&settings.data), folder::engine(&settings.data)]);
    }
    let (opened, app) = database::open(settings).await;
    checks.extend(opened);
    checks.push(match &app {
        Some(app) => database::clock(app).await,
        None => machine::clock(None),
    });
    let catalog: Arc<dyn Catalog> = match &app {
        Some(app) => app.catalog.clone(),
        None => catalog().await,
    };
    checks.push(machine::providers(&*catalog));
    checks.push(machine::port(settings));
    checks.push(plans::readable(folder, &*catalog));
    checks.push(code::runs(settings).await);
    checks.push(bucket::works(settings).await);
    checks.push(redis::answers(settings).await);
    checks.push(smtp::answers(settings).await);
    checks.push(sentry::reads(settings));
    if let Some(app) = app {
        app.store.close().await;
    }
    checks
}
