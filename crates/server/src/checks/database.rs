//! Checks of what is kept: whether keys and database open, and whether it is whole and tells the same time.

use std::sync::Arc;

use mainspring_model::clock::Clock;
use mainspring_model::store::{Migrations, StoreError};

use super::{Check, State, machine, of_refusal};
use crate::app::App;
use crate::cli::text::span;
use crate::settings::Settings;
use crate::wire::{self, OpenError, SystemClock};

/// Two machines that keep time by NTP are nearer than this, in milliseconds.
const APART: i64 = 2_000;

/// Keys, database and migrations, and the parts that opened. Nothing is opened, and so made, where nothing is yet.
pub(super) async fn open(settings: &Settings) -> (Vec<Check>, Option<Arc<App>>) {
    if settings.postgres.is_none() && !settings.data.join(mainspring_store::DATABASE_FILE).exists() {
        let nothing = |name| Check::new(name, State::Skipped, "no database yet; the first start makes it");
        return (vec![nothing("key ring"), nothing("migrations"), nothing("tables")], None);
    }
    // Looking applies nothing, whatever the server would do.
    match wire::open_for_command(&Settings { auto_migrate: false, ..settings.clone() }).await {
        Err(OpenError::Store(error @ StoreError::Pending { .. })) if settings.auto_migrate => {
            let found = Check::new("migrations", State::Warning, error.to_string());
            (vec![found.next("the next start applies them, or `mainspring doctor --fix` does now")], None)
        }
        Err(error) => (vec![of_refusal(error)], None),
        Ok(app) => (vec![keys(&app), migrations(&app).await, tables(), probe(&app).await], Some(app)),
    }
}

/// They opened the canary, or nothing would be open.
pub(super) fn keys(app: &App) -> Check {
    let ids: Vec<String> = app.vault.ring().ids().map(|id| id.to_string()).collect();
    let first = ids.first().map_or("none", String::as_str);
    Check::ok("key ring", format!("opens the database; sealing key {first}, {} in all", ids.len()))
}

pub(super) async fn migrations(app: &App) -> Check {
    const NAME: &str = "migrations";
    match app.store.migrations().await {
        Ok(Migrations { applied, pending }) if pending.is_empty() => {
            Check::ok(NAME, format!("up to date, {} applied, last {}", applied.len(), applied.last().map_or("none", String::as_str)))
        }
        Ok(Migrations { pending, .. }) => {
            Check::new(NAME, State::Failed, format!("not applied: {}", pending.join(", "))).next("`mainspring migrate up` applies them")
        }
        Err(error) => Check::failed(NAME, error.into()),
    }
}

/// They are looked for by every opening.
pub(super) fn tables() -> Check {
    Check::ok("tables", "all are there")
}

async fn probe(app: &App) -> Check {
    match app.store.probe().await {
        Ok(()) => Check::ok("store", "writes and reads"),
        Err(error) => Check::failed("store", error.into()),
    }
}

/// This machine's clock against the database's, when that is another's, and against what is stored.
pub(super) async fn clock(app: &App) -> Check {
    let here = SystemClock::new().now();
    let alone = machine::clock(machine::newest(app).await);
    if alone.state != State::Ok || app.mode.embedded {
        return alone;
    }
    match app.store.now().await {
        Ok(there) if (there - here).abs() > APART => {
            let way = if there > here { "behind" } else { "ahead of" };
            Check::new(alone.name, State::Warning, format!("this machine is {} {way} the database", span((there - here).abs())))
                .next("set both by NTP: runs go by the database's time, logs and certificates by this machine's")
        }
        Ok(_) => Check::ok(alone.name, format!("{}, as the database has it", alone.found)),
        Err(error) => Check::failed(alone.name, error.into()),
    }
}
