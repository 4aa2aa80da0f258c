//! The fuzz targets' short form: their seeds and mutations of them, always the same ones, through the same entry.

mod dice;
mod entry;
mod seeds;

use std::path::Path;

use mainspring_model::cron::Cron;
use mainspring_model::event::Event;
use mainspring_model::expr::{Expr, StepKey, rename_steps};

use crate::plan::catalog::catalog;
use dice::Dice;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every seed as it is, then mutations of all of them in turn.
fn each(seeds: &[String], mutations: usize, dice: &mut Dice, mut enter: impl FnMut(&str)) {
    seeds.iter().for_each(|seed| enter(seed));
    for at in 0..mutations {
        let mut text = seeds[at % seeds.len()].clone();
        for _ in 0..=dice.below(3) {
            text = dice.mutated(&text, seeds);
        }
        enter(&text);
    }
}

#[test]
fn mutated_expressions_stay_within_bounds() {
    let seeds = seeds::expressions(root()).unwrap();
    assert!(seeds.len() > 1_000, "{} seeds", seeds.len());
    let mut parsed = 0;
    each(&seeds, 20_000, &mut Dice::new(0x5eed), |text| {
        parsed += usize::from(Expr::parse(text).is_ok());
        entry::expression(text);
    });
    // Mutations that are nothing but broken would look into the parser only.
    assert!(parsed > 3_000, "{parsed} texts were evaluated");
}

#[test]
fn mutated_documents_are_answered() {
    let seeds = seeds::documents(root()).unwrap();
    assert!(seeds.len() > 200, "{} seeds", seeds.len());
    let catalog = catalog();
    each(&seeds, 10_000, &mut Dice::new(0x5eed), |text| entry::document(text, &catalog));
}

#[test]
fn mutated_schedules_go_forward() {
    let seeds = seeds::schedules(root()).unwrap();
    assert!(seeds.len() >= 9, "{} seeds", seeds.len());
    let mut parsed = 0;
    each(&seeds, 10_000, &mut Dice::new(0x5eed), |text| {
        parsed += usize::from(Cron::parse(text, None).is_ok());
        entry::cron(text);
    });
    assert!(parsed > 150, "{parsed} texts were schedules");
}

#[test]
fn mutated_rows_of_journals_are_read_as_they_are_written() {
    let seeds = seeds::journals(root()).unwrap();
    let mut read = 0;
    each(&seeds, 20_000, &mut Dice::new(0x5eed), |text| {
        read += usize::from(serde_json::from_str::<Event>(text).is_ok());
        entry::journal(text);
    });
    assert!(read > 150 && seeds.iter().all(|seed| serde_json::from_str::<Event>(seed).is_ok()), "{read} rows were read");
}

/// What `cargo x fuzz` found, each with what was wrong.
#[test]
fn what_fuzzing_found_stays_mended() {
    // A step's name that is no word came back after a dot.
    entry::expression("steps['\u{c}'].output.rows.1.n");
    let renamed = |text: &str| rename_steps(text, &Some);
    assert_eq!(renamed("steps['a b'].output + steps?.['it\"s'].error").unwrap(), r#"steps["a b"].output + steps?.["it\"s"].error"#);
    assert_eq!(renamed("steps['a'].output").unwrap(), "steps.a.output");
    assert_eq!(renamed(r"steps['\x61'].output"), None);
    assert_eq!(rename_steps("steps[0].output", &|_| Some(StepKey::Id("b-c".to_owned()))).unwrap(), r#"steps["b-c"].output"#);
}
