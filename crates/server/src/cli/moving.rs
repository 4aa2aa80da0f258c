//! `mainspring move`: everything from one database to another, in steps that survive an interruption, compared at the end.

use clap::Args;
use mainspring_model::store::StoreError;
use mainspring_store::copy::{Filling, tally, transfer};
use serde_json::json;

use super::copies::{Spot, end_progress, progress, refuse_server, shown, tables};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use crate::settings::Settings;
use crate::wire;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring move --from sqlite:/var/lib/mainspring --to postgres://node@db/mainspring --dry-run
  MIGRATE_DATABASE_URL=postgres://owner@db/mainspring mainspring move --from sqlite:/var/lib/mainspring --to postgres://node@db/mainspring
  mainspring move --reopen sqlite:/var/lib/mainspring

The source must be stopped, the destination empty. Interrupted, the same command goes on where it was. At the end both are read and
compared, table by table; then the source is marked and nobody serves it by accident (--reopen takes that back). A password may stay
out of the address: PGPASSWORD or ~/.pgpass give it. The key does not move: the new place needs ENCRYPTION_KEY or the file `key`.")]
pub(crate) struct Move {
    /// Where everything is: sqlite:DIR or postgres://…
    #[arg(long, value_name = "URL", required_unless_present = "reopen")]
    from: Option<String>,
    /// Where it goes: sqlite:DIR or postgres://…
    #[arg(long, value_name = "URL", required_unless_present = "reopen")]
    to: Option<String>,
    /// Count what would be moved, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let a database that was moved be served again, as it was then.
    #[arg(long, value_name = "URL", conflicts_with_all = ["from", "to", "dry_run"])]
    reopen: Option<String>,
}

pub(crate) async fn run(cx: &Cx, command: &Move) -> Result<Exit, Failure> {
    refuse_server(cx, "move")?;
    let mut base = place::settings(cx)?;
    // Of the one that is a database; of the destination when both are.
    let migrate_url = base.migrate_url.take();
    let at = |name: &'static str, url: &str| -> Result<Settings, Failure> {
        let mut settings = base.clone();
        settings.use_database_url(name, url)?;
        Ok(settings)
    };
    if let Some(url) = &command.reopen {
        let settings = Settings { migrate_url, ..at("--reopen", url)? };
        return reopen(cx, &Spot::of(&settings)).await;
    }
    let (Some(from), Some(to)) = (&command.from, &command.to) else { return Err(Failure::usage("--from and --to are needed")) };
    let (mut from, mut to) = (at("--from", from)?, at("--to", to)?);
    if to.postgres.is_some() {
        to.migrate_url = migrate_url
    } else {
        from.migrate_url = migrate_url
    }
    let (source, destination) = (Spot::of(&from), Spot::of(&to));
    if source.name()? == destination.name()? {
        return Err(Failure::usage("--from and --to are the same database"));
    }
    if command.dry_run { count(cx, &source, &destination).await } else { relocate(cx, &base, &source, &destination).await }
}

async fn relocate(cx: &Cx, settings: &Settings, from: &Spot, to: &Spot) -> Result<Exit, Failure> {
    let to_name = to.name()?;
    let departure = from.departure(&to_name).await?;
    let mut source = from.source().await?;
    let mut folders: Vec<_> = [to.folder(), from.folder()].into_iter().flatten().collect();
    if folders.is_empty() {
        folders.push(&settings.data);
    }
    wire::check_keys(settings, &folders, source.head())
        .map_err(|error| Failure::from(error).next("give the key of the source, to prove that the secrets will open"))?;
    let mut destination = to.destination(source.head(), Filling::Stepwise).await?;
    let there = destination.arrived().rows;
    if there > 0 {
        cx.note(&format!("{there} rows are there already; going on behind them"));
    }
    let done = transfer(&mut *source, &mut *destination, &mut progress(cx)).await;
    end_progress(cx);
    let sent = done?;
    cx.note(&format!("{} rows are there; reading them back", sent.rows()));
    let mut arrived = to.source().await?;
    if let Some(found) = sent.difference(&tally(&mut *arrived).await?) {
        return Err(StoreError::Differs(format!("what arrived in {to_name} is not what was sent: {found}")).into());
    }
    drop(arrived);
    // In this order: killed in between, the same command finds its way, and at no moment can both be served.
    departure.leave(&to_name).await?;
    destination.finish().await?;
    let head = source.head();
    if head.canary.is_some() && settings.encryption_key.is_none() {
        let ids = head.key_ids.join(", ");
        let folder = to.folder().filter(|folder| folder.join("key").exists());
        if folder.is_none() {
            let file = from.folder().map(|folder| folder.join("key").display().to_string()).unwrap_or("the file `key`".to_owned());
            cx.note(&format!(
                "The key did not move: give the new place {file} as its file `key`, or its content as ENCRYPTION_KEY (key {ids})."
            ));
        }
    }
    let value = json!({ "from": from.name()?, "to": to_name, "rows": sent.rows(), "resumed_at": there, "tables": tables(&sent) });
    cx.show(&value, |style, width| {
        format!("{}\n{} rows moved to {to_name}, each table compared by count and hash\n", shown(&sent, style, width), sent.rows())
    })
}

async fn count(cx: &Cx, from: &Spot, to: &Spot) -> Result<Exit, Failure> {
    let mut source = from.source().await?;
    let counted = tally(&mut *source).await?;
    let value = json!({ "from": from.name()?, "to": to.name()?, "dry_run": true, "rows": counted.rows(), "tables": tables(&counted) });
    cx.show(&value, |style, width| format!("{}\n{} rows would be moved\n", shown(&counted, style, width), counted.rows()))
}

async fn reopen(cx: &Cx, spot: &Spot) -> Result<Exit, Failure> {
    let (name, was_moved) = (spot.name()?, spot.reopen().await?);
    cx.show(&json!({ "reopened": name, "was_moved": was_moved }), |_, _| match was_moved {
        true => format!("{name} can be served again, as it was when it was moved; do not serve both\n"),
        false => format!("{name} was not moved\n"),
    })
}
