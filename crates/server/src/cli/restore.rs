//! `mainspring restore`: a backup into an empty data folder or database, all of it or nothing.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::PathBuf;

use clap::Args;
use mainspring_model::store::copy::Source;
use mainspring_store::copy::{ArchiveReader, Filling, check, transfer};
use serde_json::json;

use super::copies::{Spot, end_progress, progress, refuse_server, shown, tables};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use crate::wire;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mkdir -p /var/lib/mainspring && cp /escrow/key /var/lib/mainspring/key
  mainspring restore nightly.backup --data /var/lib/mainspring
  ENCRYPTION_KEY=\"$(cat /escrow/key)\" DATABASE_URL=postgres://node@db/mainspring mainspring restore nightly.backup

The folder or database must be empty, but for the file `key`. The key is looked for in ENCRYPTION_KEY and then in that file, and is
proved before anything is written. A backup of SQLite restores into PostgreSQL and the other way round.")]
pub(crate) struct Restore {
    /// The file that `mainspring backup` made; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(cx: &Cx, restore: &Restore) -> Result<Exit, Failure> {
    refuse_server(cx, "restore")?;
    let name = restore.file.display();
    let input: Box<dyn Read + Send> = if restore.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let unread = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Failure::not_found(format!("the file {name}")),
            _ => Failure::new(Exit::Invalid, "BACKUP_DAMAGED", format!("{name}: {error}")),
        };
        let mut file = File::open(&restore.file).map_err(unread)?;
        let size = file.metadata().map_err(unread)?.len();
        check(BufReader::with_capacity(1 << 20, &file), size)?;
        file.rewind().map_err(unread)?;
        Box::new(BufReader::with_capacity(1 << 20, file))
    };
    let settings = place::settings(cx)?;
    let spot = Spot::of(&settings);
    let mut archive = ArchiveReader::begin(input)?;
    wire::check_keys(&settings, &[&settings.data], archive.head()).map_err(|error| {
        Failure::from(error).next("give the key of the backup: ENCRYPTION_KEY, or the file `key` in the folder of --data")
    })?;
    let mut destination = spot.destination(archive.head(), Filling::Whole).await?;
    let done = transfer(&mut archive, &mut *destination, &mut progress(cx)).await;
    end_progress(cx);
    let tally = done?;
    destination.finish().await?;
    let to = spot.name()?;
    let head = archive.head();
    let value = json!({ "restored": to, "rows": tally.rows(), "made_at": archive.made.at, "program": archive.made.program,
        "place": head.place, "tables": tables(&tally) });
    cx.show(&value, |style, width| format!("{}\n{} rows of {} are in {to}\n", shown(&tally, style, width), tally.rows(), head.place))
}
