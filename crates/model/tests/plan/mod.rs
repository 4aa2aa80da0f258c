//! Plan documents: what is read, what is refused and in which words, and what comes out.

pub mod catalog;
mod compiled;
mod diff;
mod fields;
mod graph;
mod hostile;
mod inputs;
mod limits;
mod older;
mod params;
mod patterns;
mod places;
mod schema;
mod scope;
mod syntax;
mod triggers;

use mainspring_model::Problem;
use mainspring_model::id::Owner;
use mainspring_model::plan::{Checked, Format, load};

use catalog::catalog;

fn loaded(text: &str) -> Result<Checked, Vec<Problem>> {
    load(text, Format::Auto, &catalog(), &Owner::LOCAL)
}

/// A document that passes.
#[track_caller]
fn good(text: &str) -> Checked {
    match loaded(text) {
        Ok(checked) => checked,
        Err(problems) => panic!("refused:\n{}\n{text}", lines(&problems)),
    }
}

/// The problems of a document that does not, one a line: `line:column pointer CODE: message (write fix)`.
fn problems(text: &str) -> String {
    match loaded(text) {
        Ok(_) => "passed".to_owned(),
        Err(problems) => lines(&problems),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Checks each document against the problems it has.
#[track_caller]
fn all(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(text, expected)| {
            let found = problems(text);
            (found != *expected).then(|| format!("{text}\n  expected\n{expected}\n  found\n{found}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
