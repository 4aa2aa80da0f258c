//! The check of a folder of plan files.

use std::path::Path;

use mainspring_model::catalog::Catalog;
use mainspring_model::id::Owner;
use mainspring_model::plan::{self, Format};

use super::{Check, State};
use crate::cli::text::plural;
use crate::plan_files::list;

/// Whether every plan file of the folder would load.
pub(super) fn readable(folder: Option<&Path>, catalog: &dyn Catalog) -> Check {
    const NAME: &str = "plan files";
    let Some(folder) = folder else { return Check::new(NAME, State::Skipped, "no folder was named (--plans DIR)") };
    let listing = match list(folder) {
        Ok(listing) => listing,
        Err(error) => {
            let found = format!("{} cannot be read: {error}", folder.display());
            return Check::new(NAME, State::Failed, found).next("name a folder of plan files with --plans DIR");
        }
    };
    let mut wrong: Vec<String> = listing.refused.iter().map(|(below, reason)| format!("{below}: {reason}")).collect();
    for (below, stamp) in &listing.files {
        if stamp.is_large() {
            wrong.push(format!("{below}: the file has more than {} bytes", plan::MAX_BYTES));
            continue;
        }
        match std::fs::read_to_string(folder.join(below)) {
            Err(error) => wrong.push(format!("{below}: {error}")),
            Ok(text) => {
                if let Err(problems) = plan::load(&text, Format::Auto, catalog, &Owner::LOCAL) {
                    wrong.push(format!("{below}: {}", problems.first().map(ToString::to_string).unwrap_or_default()));
                }
            }
        }
    }
    let files = listing.files.len() + listing.refused.len();
    match wrong.first() {
        None => Check::ok(NAME, format!("{} in {}", plural(files, "plan file"), folder.display())),
        Some(first) => {
            let found = format!("{} of {} would not load: {first}", wrong.len(), plural(files, "plan file"));
            Check::new(NAME, State::Failed, found).next(format!("`mainspring validate {}/*` shows every problem", folder.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_model::catalog::BuiltIns;

    use super::*;

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |folder: Option<&Path>| readable(folder, &BuiltIns::default());
        std::fs::write(folder.path().join("a.yaml"), "name: A\nsteps: []\n").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no plan").unwrap();
        assert_eq!(check(Some(folder.path())).state, State::Ok);
        std::fs::write(folder.path().join("b.yaml"), "name: B\nstepz: []\n").unwrap();
        let broken = check(Some(folder.path()));
        assert!(broken.state == State::Failed && broken.found.contains("1 of 2") && broken.found.contains("b.yaml: "), "{}", broken.found);
        assert_eq!((check(None).state, check(Some(Path::new("nowhere"))).state), (State::Skipped, State::Failed));
    }
}
