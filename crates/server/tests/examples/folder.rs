//! No example without a test, none that does not validate, and none that hides how it is run.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use mainspring_engine::offline;
use mainspring_model::id::Owner;
use mainspring_model::plan;

use super::TESTED;
use super::world::{World, folder};

/// Every file below the folder that is a plan.
fn found(below: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found(&path, into);
        } else if path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known)) {
            into.insert(path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn every_example_has_a_test_and_validates() {
    let mut there = BTreeSet::new();
    found(&folder(), &mut there);
    let tested: BTreeSet<String> = TESTED.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(there, tested, "left: the files of plans/, right: those with a test in tests/examples");

    let world = World::open().await;
    let mut names = BTreeSet::new();
    for file in &there {
        let checked = world.check(file);
        // But for pattern documents, whose form is what they show.
        if !checked.document["vars"]["pattern"].is_object() {
            assert_eq!(checked.notes, Vec::<String>::new(), "{file} is written in today's form");
        }
        assert!(names.insert(checked.plan.name.clone()), "{file}: the name \"{}\" is taken", checked.plan.name);
        assert!(checked.document["description"].is_string(), "{file} says what it is for");
        let plan = std::sync::Arc::new(checked.plan);
        for report in offline::tests(&*world.app.catalog, &world.app.clock, Owner::LOCAL, &plan, Duration::from_secs(60)).await {
            assert_eq!(report.problems, Vec::<String>::new(), "{file}: its test \"{}\"", report.name);
        }
        // The stored form gives the same document again.
        let again = plan::load_value(checked.document.clone(), &*world.app.catalog, &Owner::LOCAL).unwrap();
        assert_eq!(again.document, checked.document, "{file}");
    }
}

#[test]
fn every_example_says_how_it_is_run() {
    for file in TESTED {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
        let command = if file.starts_with("local/") { "mainspring serve".to_owned() } else { format!("mainspring run plans/{file}") };
        assert!(comment.len() >= 3, "{file} opens with what it shows");
        assert!(comment.iter().any(|line| line.starts_with(&command)), "{file} names the command \"{command}\"");
        assert!(text.lines().all(|line| line.chars().count() <= 180), "{file} fits on a screen");
    }
}
