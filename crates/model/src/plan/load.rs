//! The one door from a document to a plan, for the API, the command line and plan files alike.

use serde_json::Value;

use super::check::{self, Mode};
use super::compiled::Plan;
use super::older::Translated;
use super::problems::{Origins, Problems};
use super::source::{Format, Source, parse};
use super::{code, normalise, older, read};
use crate::Problem;
use crate::catalog::Catalog;
use crate::id::Owner;

/// A document that passed.
#[derive(Clone, Debug)]
pub struct Checked {
    pub plan: Plan,
    /// The normalised document: what the author wrote, under its current names. Loading it again gives the same plan.
    pub document: Value,
    /// What was changed in an earlier document, for its author.
    pub notes: Vec<String>,
}

/// Reads, checks and compiles a document's text.
///
/// # Errors
/// All problems at once, with line and column.
pub fn load(text: &str, format: Format, catalog: &dyn Catalog, owner: &Owner) -> Result<Checked, Vec<Problem>> {
    let source = parse(text, format)?;
    let value = source.value.clone();
    run(value, Some(&source), catalog, owner, Mode::Save)
}

/// As [`load`], for a document that came as a value: problems have pointers, but no line and column.
///
/// # Errors
/// All problems at once.
pub fn load_value(value: Value, catalog: &dyn Catalog, owner: &Owner) -> Result<Checked, Vec<Problem>> {
    run(value, None, catalog, owner, Mode::Save)
}

/// The plan of a stored, normalised document, to be run: an unknown provider or action is no problem here.
///
/// # Errors
/// All problems at once; a document that was stored by this version has none.
pub fn load_stored(document: Value, catalog: &dyn Catalog, owner: &Owner) -> Result<Plan, Vec<Problem>> {
    run(document, None, catalog, owner, Mode::Lenient).map(|checked| checked.plan)
}

fn run(value: Value, source: Option<&Source>, catalog: &dyn Catalog, owner: &Owner, mode: Mode) -> Result<Checked, Vec<Problem>> {
    if is_deeper(&value, super::grow::MAX_DEPTH) {
        let message = format!("lists and objects stand more than {} deep in each other", super::grow::MAX_DEPTH);
        return Err(vec![Problem::new(code::DOCUMENT_LIMIT, "", message)]);
    }
    let mut early = Problems::new(source, Origins::default());
    let translated = match mode {
        Mode::Save => older::translate(value, catalog, owner, &mut early),
        // It was translated when it was saved; what looks like an earlier spelling in it is text.
        Mode::Lenient => Translated::as_is(value),
    };
    let mut problems = early.moved(translated.origins);
    let (mut doc, complete) = read::read(&translated.value, &mut problems);
    if !complete {
        return Err(problems.settle(()).err().unwrap_or_default());
    }
    if mode == Mode::Save {
        normalise::normalise(&mut doc, catalog, owner);
    }
    let plan = check::compile(&doc, catalog, owner, mode, &mut problems);
    problems.settle(plan).map(|plan| {
        let document = serde_json::to_value(&doc).expect("a document's keys are text and its numbers came from JSON");
        Checked { plan, document, notes: translated.notes }
    })
}

/// Whether lists and objects stand more than `limit` deep in each other; looks level by level, so that no depth costs stack.
fn is_deeper(value: &Value, limit: usize) -> bool {
    let mut level = vec![value];
    for _ in 0..limit {
        level = level
            .into_iter()
            .flat_map(|value| -> Box<dyn Iterator<Item = &Value>> {
                match value {
                    Value::Array(items) => Box::new(items.iter()),
                    Value::Object(fields) => Box::new(fields.values()),
                    _ => Box::new(std::iter::empty()),
                }
            })
            .filter(|value| matches!(value, Value::Array(_) | Value::Object(_)))
            .collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}
