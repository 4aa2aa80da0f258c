//! Plan documents: what is read, what is refused and in which words, and what comes out.

mod catalog;
mod scratch;

use mainspring_model::Problem;
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::plan::{Checked, Format, load};

use catalog::catalog;

fn owner() -> Owner {
    Owner { org: OrgId::LOCAL, user: UserId::LOCAL }
}

fn loaded(text: &str) -> Result<Checked, Vec<Problem>> {
    load(text, Format::Auto, &catalog(), &owner())
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
