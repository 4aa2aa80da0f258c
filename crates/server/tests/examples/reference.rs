//! The pages of `docs/reference`: as the program writes them, and every action and trigger with a plan that shows it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::folder;

/// What needs no plan of its own to be shown: each plan can be run by hand.
const BY_ITSELF: [&str; 1] = ["manual"];

fn pages(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_pages_are_those_of_the_program_and_name_a_plan_for_everything() {
    let reference = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference"));
    // Beside the pages, so that links are the same.
    let written = tempfile::Builder::new().prefix(".reference-").tempdir_in(reference.parent().unwrap()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_mainspring"))
        .env_clear()
        .args(["--data".as_ref(), data.path(), "provider".as_ref(), "pages".as_ref(), written.path(), "--plans".as_ref(), &folder()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let now = pages(written.path());
    let command = "mainspring provider pages docs/reference --plans plans";
    for (name, text) in &now {
        let mut what = "";
        let mut shown = true;
        for line in text.lines().chain(["## end"]) {
            if let Some(next) = line.strip_prefix("## ") {
                assert!(shown || BY_ITSELF.contains(&what), "{name}: no plan in plans/ uses {what}");
                (what, shown) = (next, false);
            }
            shown |= line.starts_with("Plans that use it: ");
        }
    }
    assert_eq!(now.keys().collect::<Vec<_>>(), pages(&reference).keys().collect::<Vec<_>>(), "write them again: {command}");
    for (name, text) in pages(&reference) {
        assert!(text == now[&name], "docs/reference/{name} is not what the program writes: {command}");
    }
}
