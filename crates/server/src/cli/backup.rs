//! `mainspring backup`: everything in one file, while the server goes on working.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Head, Row, Sink, Source, Table};
use mainspring_store::copy::{Archive, Made, Tally};
use mainspring_store::unwritable;
use serde_json::json;

use super::copies::{Spot, end_progress, progress, refuse_server, tables};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring backup /backups/mainspring-$(date +%F).backup
  DATABASE_URL=postgres://node@db/mainspring mainspring backup nightly.backup
  mainspring backup - | ssh vault 'cat > mainspring.backup'

The server may go on working: the file holds one moment of all organizations. An existing FILE is replaced when the new one is
complete. The key that opens the secrets is not in it: keep ENCRYPTION_KEY, or the file `key` of the data folder, somewhere else.")]
pub(crate) struct Backup {
    /// The file to make; `-` for standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(cx: &Cx, backup: &Backup) -> Result<Exit, Failure> {
    refuse_server(cx, "backup")?;
    let settings = place::settings(cx)?;
    let spot = Spot::of(&settings);
    let mut source = spot.source().await?;
    if let Some(from) = source.head().part_of.clone() {
        return Err(StoreError::Incomplete { place: source.head().place.clone(), from }.into());
    }
    let to_stdout = backup.file.as_os_str() == "-";
    let (tally, bytes) = if to_stdout {
        let failed = |error: io::Error| StoreError::Failed(format!("standard output: {error}"));
        let (_, tally, bytes) = write(cx, &mut *source, io::stdout(), failed).await?;
        (tally, bytes)
    } else {
        to_file(cx, &mut *source, &backup.file).await?
    };
    let head = source.head().clone();
    cx.note(&key_note(&head, spot.folder(), settings.encryption_key.is_some()));
    if to_stdout {
        cx.note(&format!("{} rows, {bytes} bytes", tally.rows()));
        return Ok(Exit::Ok);
    }
    let file = backup.file.display().to_string();
    let value = json!({ "file": file, "bytes": bytes, "rows": tally.rows(), "key_ids": head.key_ids, "tables": tables(&tally) });
    cx.show(&value, |_, _| format!("{file}: {} rows of {}, {bytes} bytes\n", tally.rows(), head.place))
}

/// Under another name until it is whole and durable.
async fn to_file(cx: &Cx, source: &mut dyn Source, file: &Path) -> Result<(Tally, u64), Failure> {
    let mut name = file.file_name().ok_or_else(|| Failure::usage(format!("{} is no name of a file", file.display())))?.to_owned();
    name.push(".part");
    let part = Part(file.with_file_name(name));
    let failed = {
        let place = part.0.clone();
        move |error: io::Error| not_written(&place, &error)
    };
    let out = create(&part.0).map_err(&failed)?;
    let (out, tally, bytes) = write(cx, source, BufWriter::with_capacity(1 << 20, out), failed.clone()).await?;
    let done = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|out| {
        out.sync_all()?;
        fs::rename(&part.0, file)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    });
    done.map_err(failed)?;
    Ok((tally, bytes))
}

/// A file that goes unless it got its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn write<W: Write + Send>(
    cx: &Cx,
    source: &mut dyn Source,
    out: W,
    failed: impl Fn(io::Error) -> StoreError + Send + Sync + 'static,
) -> Result<(W, Tally, u64), Failure> {
    let made = Made { program: env!("CARGO_PKG_VERSION").to_owned(), at: place::clock().now() };
    let archive = Archive::begin(out, source.head(), &made, failed)?;
    let mut watched = Watched { archive, rows: 0, told: progress(cx) };
    let read = source.read(&mut watched).await;
    end_progress(cx);
    read?;
    Ok(watched.archive.finish()?)
}

/// An archive that says how far it is.
struct Watched<W, F> {
    archive: Archive<W>,
    rows: u64,
    told: F,
}

#[async_trait::async_trait]
impl<W: Write + Send, F: FnMut(u64) + Send> Sink for Watched<W, F> {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.rows += rows.len() as u64;
        (self.told)(self.rows);
        self.archive.take(table, rows).await
    }
}

/// What cannot be written is the backup; the database is only read.
fn not_written(place: &Path, error: &io::Error) -> StoreError {
    unwritable(place, error)
}

/// For its owner alone: it holds what plans and runs hold.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn key_note(head: &Head, folder: Option<&Path>, in_environment: bool) -> String {
    if head.canary.is_none() {
        return "Nothing in it is sealed, so no key is needed to restore it.".to_owned();
    }
    let key = match (in_environment, folder) {
        (false, Some(folder)) => format!("the file {}", folder.join("key").display()),
        (true, _) => "ENCRYPTION_KEY".to_owned(),
        (false, None) => "ENCRYPTION_KEY, or the file `key` of the nodes' data folders".to_owned(),
    };
    format!(
        "The key is not in the backup, and without it the secrets do not open: keep {key} somewhere else (key {}).",
        head.key_ids.join(", ")
    )
}
