//! Joining the nodes of one PostgreSQL database.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_engine::{CrashMarks, Found, StoreClock};
use mainspring_model::clock::Clock;
use mainspring_model::credential::Secret;
use mainspring_model::id::RunId;
use mainspring_model::store::{SecretStore, StoreError};
use mainspring_store::postgres::{OpenOptions, PostgresStore};

use super::clock::pause;
use super::{OpenError, SystemClock, join, key_ring};
use crate::app::App;
use crate::settings::Settings;

/// How the store is opened for these settings.
pub fn options(settings: &Settings, url: &Secret, drives: bool) -> OpenOptions {
    OpenOptions {
        migrate_url: settings.migrate_url.as_ref().map(|url| url.expose().to_owned()),
        auto_migrate: settings.auto_migrate,
        drives,
        tags: settings.tags.0.clone(),
        places: settings.runs_per_organization,
        production: settings.is_production(),
        lease: settings.lease,
        ..OpenOptions::new(url.expose())
    }
}

pub(super) async fn open(settings: &Settings, url: &Secret, drive: bool) -> Result<Arc<App>, OpenError> {
    let options = OpenOptions { objects: super::bucket(settings, drive).await?, ..options(settings, url, drive) };
    let store = PostgresStore::open(options).await?;
    // The log is not there yet; short commands would say it each time.
    for warning in store.warnings().iter().filter(|_| drive) {
        eprintln!("Warning: {warning}");
    }
    // Every node needs the same keys: a second one without them must not make its own.
    let existing = store.canary().await?.is_some();
    if settings.encryption_key.is_none() {
        std::fs::create_dir_all(&settings.data).map_err(|error| mainspring_store::unwritable(&settings.data, &error))?;
    }
    let ring = key_ring(settings, existing)?;
    let clock = StoreClock::new(Arc::new(SystemClock::new()), pause);
    // The first answer came by a connection that had to be made.
    for _ in 0..3 {
        clock.correct(&*store).await?;
    }
    keep_right(&clock, &store, settings.lease / 3);
    let marks = Arc::new(NodeMarks { store: store.clone(), alone: Mutex::default() });
    join(settings, store, ring, Arc::new(clock), marks).await
}

/// Asks the database for the time as often as the lease is renewed, for as long as the store is open.
fn keep_right(clock: &StoreClock, store: &Arc<PostgresStore>, every: Duration) {
    let (clock, store) = (clock.clone(), Arc::downgrade(store));
    tokio::spawn(async move {
        loop {
            clock.sleep_until(clock.now() + i64::try_from(every.as_millis()).unwrap_or(i64::MAX)).await;
            let Some(store) = store.upgrade() else { return };
            match clock.correct(&*store).await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::debug!(%error, "the database did not tell its time"),
            }
        }
    });
}

/// A node leaves no file behind: the database knows which runs it held, and this tells it which one was alone.
struct NodeMarks {
    store: Arc<PostgresStore>,
    alone: Mutex<Option<RunId>>,
}

impl NodeMarks {
    fn note(&self, alone: Option<RunId>) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.drives_alone(alone).await {
                // The crash is then counted as one in company, and the run is found later.
                tracing::warn!(%error, "it could not be noted that a run is driven alone");
            }
        });
    }
}

impl CrashMarks for NodeMarks {
    fn found(&self) -> Found {
        Found::default()
    }

    fn enter(&self, run: RunId, alone: bool) {
        if alone {
            *self.alone.lock().expect("no panic happens while the mark is held") = Some(run);
            self.note(Some(run));
        }
    }

    fn leave(&self, run: RunId) {
        let was = self.alone.lock().expect("no panic happens while the mark is held").take_if(|alone| *alone == run);
        if was.is_some() {
            self.note(None);
        }
    }
}
