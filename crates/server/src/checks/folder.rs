//! Checks of the data folder: whether it can be written, and who drives it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Check, State};
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
