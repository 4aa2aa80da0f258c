//! `mainspring migrate`: the database's shape, looked at or brought up to this version's.

use clap::Subcommand;
use mainspring_model::store::Migrations;
use mainspring_store::postgres;
use serde_json::json;

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use crate::wire::{self, postgres::options};

#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  mainspring migrate status
  DATABASE_URL=postgres://node@db/mainspring MIGRATE_DATABASE_URL=postgres://owner@db/mainspring mainspring migrate up

Without DATABASE_URL the data folder's database is meant, which every start brings up to date. Exits with 3 while a
migration is pending.")]
pub(crate) enum MigrateCommand {
    /// What is applied and what is pending. Changes nothing.
    #[command(after_help = "Examples:\n  mainspring migrate status\n  mainspring migrate status -o json | jq .pending")]
    Status,
    /// Apply what is pending.
    #[command(after_help = "Examples:\n  mainspring migrate up")]
    Up,
}

pub(crate) async fn run(cx: &Cx, command: &MigrateCommand) -> Result<Exit, Failure> {
    let mut settings = place::settings(cx)?;
    let state = match (&settings.postgres, command) {
        (Some(database), MigrateCommand::Status) => postgres::migration_state(&options(&settings, database, false)).await?,
        (Some(database), MigrateCommand::Up) => postgres::migrate(&options(&settings, database, false)).await?,
        (None, MigrateCommand::Status) => mainspring_store::migration_state(&settings.data).await?,
        (None, MigrateCommand::Up) => {
            settings.auto_migrate = true;
            let app = wire::open_for_command(&settings).await?;
            let state = app.store.migrations().await;
            app.store.close().await;
            state?
        }
    };
    let Migrations { applied, pending } = &state;
    let status = if pending.is_empty() { "up_to_date" } else { "pending" };
    cx.show(&json!({ "status": status, "applied": applied, "pending": pending }), |style, width| {
        let mut rows = Rows::new(["migration", "state"], "this version has no migrations");
        for (names, state) in [(applied, "applied"), (pending, "pending")] {
            for name in names {
                rows.add([name.clone(), state.to_owned()]);
            }
        }
        rows.render(width, style)
    })?;
    Ok(if pending.is_empty() { Exit::Ok } else { Exit::Invalid })
}
