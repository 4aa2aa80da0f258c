//! Where copies come from and go to: a data folder or a database, and what is told while they are under way.

use std::path::{Path, PathBuf};

use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Departure, Destination, Head, Source};
use mainspring_store::copy::{Filling, Tally};
use mainspring_store::postgres::{self, OpenOptions};
use mainspring_store::{SqliteDeparture, SqliteImport, SqliteSnapshot};
use serde_json::{Value, json};

use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::terminal::{self, Style};
use crate::settings::Settings;
use crate::wire::postgres::options;

/// A store by its address.
pub(super) enum Spot {
    Folder(PathBuf),
    Database(Box<OpenOptions>),
}

impl Spot {
    /// The one that the settings name.
    pub(super) fn of(settings: &Settings) -> Spot {
        match &settings.postgres {
            Some(url) => Spot::Database(Box::new(options(settings, url, false))),
            // The same name from wherever it is called.
            None => Spot::Folder(std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone())),
        }
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Spot::Folder(folder) => Some(folder),
            Spot::Database(_) => None,
        }
    }

    pub(super) async fn source(&self) -> Result<Box<dyn Source>, StoreError> {
        Ok(match self {
            Spot::Folder(folder) => Box::new(SqliteSnapshot::open(folder).await?),
            Spot::Database(options) => Box::new(postgres::Whole::open(options).await?),
        })
    }

    pub(super) async fn destination(&self, head: &Head, filling: Filling) -> Result<Box<dyn Destination>, StoreError> {
        Ok(match self {
            Spot::Folder(folder) => Box::new(SqliteImport::begin(folder, head, filling, place::clock().now()).await?),
            Spot::Database(options) => Box::new(postgres::Import::begin(options, head, filling).await?),
        })
    }

    pub(super) async fn departure(&self, to: &str) -> Result<Box<dyn Departure>, StoreError> {
        Ok(match self {
            Spot::Folder(folder) => Box::new(SqliteDeparture::begin(folder, to, place::clock().now()).await?),
            Spot::Database(options) => Box::new(postgres::Departing::begin(options, to).await?),
        })
    }

    pub(super) async fn reopen(&self) -> Result<bool, StoreError> {
        match self {
            Spot::Folder(folder) => mainspring_store::reopen(folder, place::clock().now()).await,
            Spot::Database(options) => postgres::reopen(options).await,
        }
    }

    /// For people; without a password.
    pub(super) fn name(&self) -> Result<String, StoreError> {
        match self {
            Spot::Folder(folder) => Ok(format!("sqlite:{}", folder.display())),
            Spot::Database(options) => Ok(format!("postgres://{}", options.place()?)),
        }
    }
}

/// Refuses `--server`: a copy reads and writes the database itself.
pub(super) fn refuse_server(cx: &Cx, command: &str) -> Result<(), Failure> {
    match place::server(cx)? {
        None => Ok(()),
        Some(_) => {
            Err(Failure::usage(format!("`mainspring {command}` works on the data folder or the database itself, not over --server")))
        }
    }
}

/// Says how many rows went by, where somebody watches.
pub(super) fn progress(cx: &Cx) -> impl FnMut(u64) + Send + use<> {
    let watched = !cx.quiet && terminal::stderr_is_terminal();
    let mut told = 0;
    move |rows: u64| {
        if watched && rows >= told + 5_000 {
            told = rows;
            terminal::err(&format!("\r{rows} rows"));
        }
    }
}

/// Ends the line of [`progress`].
pub(super) fn end_progress(cx: &Cx) {
    if !cx.quiet && terminal::stderr_is_terminal() {
        terminal::err("\r\u{1b}[K");
    }
}

pub(super) fn tables(tally: &Tally) -> Value {
    tally.tables().map(|(name, rows, sha256)| (name.to_owned(), json!({ "rows": rows, "sha256": sha256 }))).collect()
}

/// Counts, one line for each table that has rows.
pub(super) fn shown(tally: &Tally, style: Style, width: usize) -> String {
    let mut rows = Rows::new(["table", "rows"], "there is nothing in it");
    for (name, count, _) in tally.tables().filter(|(_, count, _)| *count > 0) {
        rows.add([name.to_owned(), count.to_string()]);
    }
    rows.render(width, style)
}
