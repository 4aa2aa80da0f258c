//! `serve`: binds, recovers, drives runs and schedules, answers, and on the way down loses nothing.

mod checked;
mod port;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use crate::app::App;
use crate::checks;
use crate::identity::links::Purpose;
use crate::identity::terms::FIRST_OWNER;
use crate::reports::Reporter;
use crate::settings::Settings;
use crate::wire::{self, ADDRESS_FILE, OpenError};
use crate::{erasure, flags, http, metrics, notify, outbox, plan_files, traces, webhooks};

use checked::{refuse, say, show_refusal};
use port::{open_port, reserve};

pub use checked::Refusal;

/// How long attempts in flight may take to end at shutdown, in milliseconds; service managers lose patience soon after.
const DRAIN_FOR: i64 = 8_000;

/// Between looks at whether the database is within reach, in milliseconds.
const LOOK: i64 = 500;

/// Why the server did not start, or could not go on.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{address} is in use by another program; stop it, or choose another address with --listen")]
    PortInUse { address: SocketAddr },
    #[error("{address} cannot be listened on: {reason}")]
    Listen { address: SocketAddr, reason: String },
    #[error(
        "the database has not answered for {after} s, so this node ends and leaves its runs to whoever reaches it; see that the \
         database runs and can be reached from here, and let a service manager start the node again"
    )]
    Lost { after: u64 },
    #[error("{0}")]
    Refused(Refusal),
    #[error("--dev trusts every caller on this machine, so it listens on loopback only; {address} is not loopback")]
    DevAddress { address: SocketAddr },
}

impl ServeError {
    /// The stable code, with a page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            ServeError::Open(error) => error.code(),
            ServeError::PortInUse { .. } => "PORT_IN_USE",
            ServeError::Listen { .. } => "LISTEN_FAILED",
            ServeError::Lost { .. } => "STORE_LOST",
            ServeError::DevAddress { .. } => "DEV_ADDRESS",
            ServeError::Refused(refusal) => refusal.code(),
        }
    }
}

/// Serves until the process is told to end (SIGTERM, SIGINT).
///
/// # Errors
/// [`ServeError`]: nothing was started.
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let stop = stop_signal();
    let reporter = Reporter::begin(&settings, Arc::new(wire::SystemClock::new()));
    let served = serve_told(settings, stop, reporter.clone()).await;
    if let Some(reporter) = reporter {
        // Of one that had started the log has told.
        if let Err(error) = &served
            && !matches!(error, ServeError::Lost { .. })
        {
            let said = serde_json::Map::from_iter([("error".to_owned(), error.to_string().into())]);
            reporter.report("the server did not start", Some(error.code().to_owned()), serde_json::Map::new(), said, true);
        }
        reporter.finish().await;
    }
    served
}

/// Serves until `stop` resolves.
///
/// # Errors
/// [`ServeError`]: nothing was started; or `Lost`: what was started is given up, since nothing of it can be recorded.
pub async fn serve_until(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    serve_told(settings, stop, None).await
}

async fn serve_told(mut settings: Settings, stop: impl Future<Output = ()>, reporter: Option<Arc<Reporter>>) -> Result<(), ServeError> {
    let address = settings.listen;
    if settings.dev && !address.ip().is_loopback() {
        return Err(ServeError::DevAddress { address });
    }
    let mut told = checks::of_settings(&settings);
    refuse(&told)?;
    // The port is taken, so that nobody else gets it, and opens when everything holds.
    let port = reserve(address)?;
    settings.listen = port.local_addr().unwrap_or(address);
    let figures = settings.metrics_listen.map(|address| reserve(address).map(|port| (port, address))).transpose()?;
    let app = match wire::open(&settings, true).await {
        Ok(app) => app,
        Err(error) => return Err(show_refusal(told, error)),
    };
    wire::log::install(app.redactor.clone(), settings.log.as_deref(), settings.log_json.unwrap_or(settings.is_production()), reporter);
    if let Err(reason) = traces::begin(&settings, &app) {
        app.store.close().await;
        return Err(show_refusal(told, OpenError::Setting(format!("traces: {reason}"))));
    }
    told.extend(checks::of_parts(&settings, &app).await);
    if let Err(refused) = refuse(&told) {
        app.store.close().await;
        return Err(refused);
    }
    say(&told);
    // Before the first request is read: a webhook of a plan file must not be unknown for a moment.
    let follower = match &settings.plans {
        Some(folder) => Some(plan_files::first_look(&app, folder).await),
        None => None,
    };
    let opened =
        open_port(port, address).and_then(|listener| Ok((listener, figures.map(|(port, address)| open_port(port, address)).transpose()?)));
    let (listener, figures) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // Gives back what this node holds, so that the others need not wait for its lease.
            app.store.close().await;
            return Err(error);
        }
    };
    if settings.postgres.is_none() {
        say_where(&settings);
    }
    banner(&settings);
    if !settings.dev && app.mode.roles.api {
        offer_first_owner(&app).await;
    }
    // Readiness does not wait for recovery: what a dead process left is taken up beside the first requests.
    let driving = tokio::spawn({
        let (app, keep_audit) = (app.clone(), settings.keep_audit);
        async move {
            match app.engine.recover().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "runs of the process before go on"),
                Err(error) => tracing::error!(%error, "the runs of the process before could not be taken up"),
            }
            let (roles, engine) = (app.mode.roles, &app.engine);
            tokio::join!(
                when(roles.worker, engine.serve_claims()),
                when(roles.scheduler, engine.serve_schedules()),
                when(roles.scheduler, engine.serve_retention()),
                when(roles.scheduler, outbox::serve(app.clone())),
                when(roles.scheduler, notify::serve(app.clone())),
                flags::follow(app.clone()),
                metrics::sample(app.clone()),
                when(roles.scheduler, app.audit.serve_retention(keep_audit)),
                when(roles.scheduler, erasure::serve(app.clone())),
                when(roles.api, webhooks::follow(app.clone())),
                plan_files::serve(app.clone(), follower)
            );
        }
    });
    let words = app.redis.clone().filter(|_| !app.mode.embedded).map(|redis| {
        app.live.tell_by(redis.clone());
        let live = app.live.clone();
        tokio::spawn(async move { redis.serve(&live).await })
    });
    let metering = figures.map(|listener| tokio::spawn(metrics::listen(app.clone(), listener)));
    let serving = serve_in_order(&app, listener, stop);
    let lost = tokio::select! {
        biased;
        () = serving => None,
        after = without_database(&app, settings.patience) => Some(after),
    };
    driving.abort();
    if let Some(words) = words {
        words.abort();
    }
    if let Some(metering) = metering {
        metering.abort();
    }
    if let Some(after) = lost {
        let lost = ServeError::Lost { after: after.as_secs() };
        tracing::error!(code = lost.code(), live = app.engine.live(), "{lost}");
        return Err(lost);
    }
    if settings.postgres.is_none() {
        drop(std::fs::remove_file(settings.data.join(ADDRESS_FILE)));
    }
    Ok(())
}

/// Answers until `stop`, and then lets every run record where it is.
async fn serve_in_order(app: &Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    http::serve(app.clone(), listener, stop).await;
    tracing::info!(live = app.engine.live(), "stopping: runs record where they are");
    app.engine.drain(DRAIN_FOR).await;
    app.audit.flush().await;
    if let Some(tracer) = app.tracer.get() {
        tracer.clone().close().await;
    }
    app.store.close().await;
}

/// Resolves when the database has been out of reach for `patience`, in any state of the process: one that hangs in its last write
/// must end too. A node that cannot write is of no use to anybody, and a fresh process may find what this one does not (a name
/// that means another address now, a renewed certificate). Until then what is in memory is worth keeping.
async fn without_database(app: &App, patience: Duration) -> Duration {
    loop {
        if let Some(lost_for) = app.store.reach().lost_for.filter(|lost_for| *lost_for >= patience) {
            return lost_for;
        }
        app.clock.sleep_until(app.clock.now() + LOOK).await;
    }
}

async fn when(wanted: bool, work: impl Future<Output = ()>) {
    if wanted {
        work.await;
    }
}

/// Other commands on this data folder find the server by this file.
fn say_where(settings: &Settings) {
    let url = format!("http://{}\n", settings.listen);
    if let Err(error) = std::fs::write(settings.data.join(ADDRESS_FILE), url) {
        tracing::warn!(%error, "commands on this data folder will not find the server by themselves");
    }
}

fn banner(settings: &Settings) {
    let place = match &settings.postgres {
        None => format!("data: {}", settings.data.display()),
        Some(_) => format!("one node of PostgreSQL; roles: {}", settings.roles),
    };
    eprintln!("Mainspring {} on http://{}  ({place})", env!("CARGO_PKG_VERSION"), settings.listen);
    if settings.dev {
        eprintln!(
            "Dev mode: whoever reaches this address is the local owner, without a key. Loopback is no border between the users of this"
        );
        eprintln!("machine, so run it only where you trust them all. Plans may call loopback addresses.");
    } else {
        eprintln!("Callers log in, or have an API key: mainspring api-key create --data {}", settings.data.display());
    }
}

/// An installation that nobody can call yet prints the way to make its owner. Whoever reads the log of a start is its operator.
async fn offer_first_owner(app: &App) {
    match app.identity.is_founded(&*app.store).await {
        Ok(true) => return,
        Ok(false) => {}
        Err(error) => return tracing::error!(%error, "it could not be seen whether there is an owner"),
    }
    match app.one_time(None, Purpose::FirstOwner, FIRST_OWNER, serde_json::Value::Null).await {
        Ok(token) => {
            eprintln!("There is no owner yet, so nobody can call. This link makes one, within 24 hours and once:");
            eprintln!("  {}/first-owner#token={}", app.public_url(), token.expose());
            eprintln!("or on this machine: mainspring owner create --email <address> --data {}", app.mode.data.display());
        }
        Err(error) => tracing::error!(%error, "the link that makes the first owner could not be made"),
    }
}

/// Resolves on SIGTERM or SIGINT. They are caught from the call on, not from the first poll: a server that is told to end
/// while it starts ends in order too.
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).expect("the runtime handles signals");
    let mut interrupt = signal(SignalKind::interrupt()).expect("the runtime handles signals");
    async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
