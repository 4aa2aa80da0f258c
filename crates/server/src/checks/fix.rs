//! `doctor --fix`: what can be put right without a choice or a loss, and a line for each thing that was.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use mainspring_store::postgres;

use super::secrets::file_with_secrets;
use crate::cli::failure::Failure;
use crate::settings::Settings;
use crate::wire;

/// Makes the data folder, takes others' rights to files with secrets away, and applies migrations. Says what it did.
///
/// # Errors
/// The first thing that could not be put right; those before it are.
pub(crate) async fn mend(settings: &Settings) -> Result<Vec<String>, Failure> {
    let mut done = Vec::new();
    if settings.postgres.is_none() && !settings.data.exists() {
        // Nobody else's business: the key and the database will lie in it.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&settings.data);
        made.map_err(|error| Failure::from(mainspring_store::unwritable(&settings.data, &error)))?;
        done.push(format!("made the data folder {}", settings.data.display()));
    }
    for path in [Some(settings.data.join("key")), file_with_secrets(settings)].into_iter().flatten() {
        done.extend(tighten(&path)?);
    }
    done.extend(migrate(settings).await?);
    Ok(done)
}

fn tighten(path: &Path) -> Result<Option<String>, Failure> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    let mode = metadata.permissions().mode() & 0o7777;
    if !metadata.is_file() || mode & 0o077 == 0 {
        return Ok(None);
    }
    let tight = mode & 0o700;
    fs::set_permissions(path, Permissions::from_mode(tight)).map_err(|error| Failure::from(mainspring_store::unwritable(path, &error)))?;
    Ok(Some(format!("{} was mode {mode:04o} and is {tight:04o} now; consider what is in it as seen", path.display())))
}

async fn migrate(settings: &Settings) -> Result<Option<String>, Failure> {
    let pending = match &settings.postgres {
        Some(url) => {
            let options = wire::postgres::options(settings, url, false);
            let pending = postgres::migration_state(&options).await?.pending;
            if !pending.is_empty() {
                postgres::migrate(&options).await?;
            }
            pending
        }
        None if !settings.data.join(mainspring_store::DATABASE_FILE).exists() => return Ok(None),
        None => {
            let pending = mainspring_store::migration_state(&settings.data).await?.pending;
            if !pending.is_empty() {
                let app = wire::open_for_command(&Settings { auto_migrate: true, ..settings.clone() }).await?;
                app.store.close().await;
            }
            pending
        }
    };
    Ok((!pending.is_empty()).then(|| format!("applied {}", pending.join(", "))))
}
