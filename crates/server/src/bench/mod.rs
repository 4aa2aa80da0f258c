//! `mainspring bench`: the figures we promise, measured on the shipped path, each beside the ceiling seen in the same run.

mod auth;
mod ceiling;
mod child;
mod claims;
mod concurrent;
mod fanout;
mod growth;
mod load;
mod local;
mod plans;
mod startup;
mod steps;
mod table;
mod webhook;

use std::path::PathBuf;

use table::Row;

use crate::settings::Settings;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of rows; all when empty.
    pub only: Vec<String>,
    /// Where databases are made; on the disk whose flush counts.
    pub folder: PathBuf,
    /// Smaller workloads, to see that the bench works; figures of a quick run are not the promised ones.
    pub quick: bool,
    /// Measure a node over the database of these settings instead of the embedded store.
    pub postgres: Option<Settings>,
}

impl Options {
    /// Settings of a server whose files lie in `name`.
    fn settings(&self, name: &str) -> Settings {
        match &self.postgres {
            None => Settings { data: self.folder.join(name), dev: true, ..Settings::default() },
            // One key for all that is made in one database.
            Some(settings) => Settings { data: self.folder.join("node"), dev: true, ..settings.clone() },
        }
    }
}

/// What is measured over PostgreSQL: the rest is the same there. `claims` is measured nowhere else.
const OVER_POSTGRES: [&str; 3] = ["steps", "claims", "webhook"];

/// Every row's name, in the order they run.
pub const NAMES: [&str; 8] = ["startup", "steps", "claims", "webhook", "fanout", "concurrent", "auth", "growth"];

/// Measures and prints; `false` when a figure was missed.
///
/// # Errors
/// The bench itself could not work: no folder, no child process, a run that failed.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    for name in &options.only {
        anyhow::ensure!(NAMES.contains(&name.as_str()), "there is no bench \"{name}\"; there are {}", NAMES.join(", "));
    }
    std::fs::create_dir_all(&options.folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let wanted = |name: &str| match options.only.as_slice() {
        [] => options.postgres.is_none() || OVER_POSTGRES.contains(&name),
        only => only.iter().any(|only| only == name),
    };
    let mut rows: Vec<Row> = Vec::new();
    for name in NAMES.into_iter().filter(|name| wanted(name)) {
        eprintln!("bench {name} …");
        let more = match name {
            "startup" => runtime.block_on(startup::measure(options))?,
            "steps" => runtime.block_on(steps::measure(options))?,
            "claims" => runtime.block_on(claims::measure(options))?,
            "webhook" => runtime.block_on(webhook::measure(options))?,
            "fanout" => runtime.block_on(fanout::measure(options))?,
            "concurrent" => runtime.block_on(concurrent::measure(options))?,
            "auth" => runtime.block_on(auth::measure(options))?,
            _ => runtime.block_on(growth::measure(options))?,
        };
        rows.extend(more);
    }
    println!("{}", table::render(&rows));
    if options.quick {
        println!("A quick run: workloads are smaller than the promised ones.");
    }
    Ok(rows.iter().all(|row| row.met))
}
