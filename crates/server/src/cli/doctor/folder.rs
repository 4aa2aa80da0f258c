//! Checks of the data folder: whether it can be written, who drives it, whether its keys and its database open.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use mainspring_model::store::Migrations;

use super::{Check, State};
use crate::app::App;
use crate::cli::failure::Failure;
use crate::settings::Settings;
use crate::wire;

/// Whether files can be made in the folder; for one that is not there, in the nearest one above it that is.
pub(super) fn writable(folder: &Path) -> Check {
    const NAME: &str = "data folder";
    let shown = folder.display();
    let Some(there) = folder.ancestors().find(|above| above.is_dir()).or_else(|| folder.is_relative().then(|| Path::new("."))) else {
        return Check::new(NAME, State::Failed, format!("{shown} is not there and nothing above it"))
            .next("choose another with --data DIR");
    };
    let probe = there.join(format!(".mainspring-doctor-{}", std::process::id()));
    let written = fs::File::create_new(&probe).map(drop);
    drop(fs::remove_file(&probe));
    match written {
        Ok(()) if folder.is_dir() => Check::ok(NAME, format!("{shown} can be written")),
        Ok(()) if folder.exists() => Check::new(NAME, State::Failed, format!("{shown} is no folder")).next("name a folder with --data DIR"),
        Ok(()) => Check::ok(NAME, format!("{shown} is not there yet and can be made")),
        Err(error) => {
            let next = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free space on its disk",
                _ => "make it writable for this user, or choose another with --data DIR",
            };
            Check::new(NAME, State::Failed, format!("{} cannot be written: {error}", there.display())).next(next)
        }
    }
}

/// Who drives the runs of the folder.
pub(super) fn engine(folder: &Path) -> Check {
    const NAME: &str = "engine lock";
    match mainspring_store::holder(folder) {
        None => Check::ok(NAME, "free: no process drives runs here now"),
        Some(pid) => {
            let url = fs::read_to_string(folder.join(wire::ADDRESS_FILE)).unwrap_or_default();
            let url = url.trim();
            let place = if url.is_empty() { String::new() } else { format!(" at {url}") };
            Check::ok(NAME, format!("process {pid} drives the runs here{place}"))
        }
    }
}

/// Keys, database and migrations, and the parts that opened. Nothing is opened, and so made, where nothing is yet.
pub(super) async fn open(settings: &Settings) -> (Vec<Check>, Option<Arc<App>>) {
    const KEYS: &str = "key ring";
    const MIGRATIONS: &str = "migrations";
    const STORE: &str = "store";
    if settings.postgres.is_none() && !settings.data.join(mainspring_store::DATABASE_FILE).exists() {
        let nothing = |name| Check::new(name, State::Skipped, "no database yet; the first start makes it");
        return (vec![nothing(KEYS), nothing(MIGRATIONS)], None);
    }
    match wire::open_for_command(settings).await {
        Err(error) => {
            let failure = Failure::from(error);
            let name = match &*failure.code {
                code if code.starts_with("VAULT_") => KEYS,
                "STORE_NEWER" | "MIGRATION_CHANGED" => MIGRATIONS,
                _ => STORE,
            };
            (vec![Check::failed(name, failure)], None)
        }
        Ok(app) => {
            let ids: Vec<String> = app.vault.ring().ids().map(|id| id.to_string()).collect();
            let mut checks = vec![Check::ok(
                KEYS,
                format!("opens the database; sealing key {}, {} in all", ids.first().map_or("none", String::as_str), ids.len()),
            )];
            checks.push(match app.store.migrations().await {
                Ok(Migrations { applied, pending }) if pending.is_empty() => Check::ok(
                    MIGRATIONS,
                    format!("up to date, {} applied, last {}", applied.len(), applied.last().map_or("none", String::as_str)),
                ),
                Ok(Migrations { pending, .. }) => Check::new(MIGRATIONS, State::Failed, format!("not applied: {}", pending.join(", ")))
                    .next("start the server once: it applies them"),
                Err(error) => Check::failed(MIGRATIONS, error.into()),
            });
            checks.push(match app.store.probe().await {
                Ok(()) => Check::ok(STORE, "writes and reads"),
                Err(error) => Check::failed(STORE, error.into()),
            });
            (checks, Some(app))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_apart() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::write(path("file"), "x").unwrap();
        let state = |name: &str| (writable(&path(name)).state, writable(&path(name)).found.replace(&base.path().display().to_string(), ""));
        assert_eq!(state(""), (State::Ok, "/ can be written".to_owned()));
        assert_eq!(state("new/deep"), (State::Ok, "/new/deep is not there yet and can be made".to_owned()));
        assert_eq!(state("file"), (State::Failed, "/file is no folder".to_owned()));
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1, "nothing is left behind");
        assert_eq!(engine(base.path()).state, State::Ok);
    }
}
