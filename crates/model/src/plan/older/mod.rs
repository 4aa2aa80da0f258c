//! Earlier documents, translated into the present form before they are read, with a note of every change.
//!
//! Four dialects meet here: flat steps of `provider`, `action`, `params`; the older builder's `order, action_id, parameters, type,
//! condition, else_jump, loop_config, retries`; the assistants' `parameters, depends_on` with bare `"step_2"` values; and
//! `{{step_N.…}}`, which is read in every document.

mod condition;
mod flow;
mod numbering;
mod pattern;
mod plan;
mod step;
mod text;
mod trigger;

use serde_json::{Map, Value};

use super::problems::{Origins, Problems};
use crate::catalog::Catalog;
use crate::id::Owner;

/// A document in its present form.
pub(crate) struct Translated {
    pub value: Value,
    pub notes: Vec<String>,
    pub origins: Origins,
}

impl Translated {
    pub(crate) fn as_is(value: Value) -> Translated {
        Translated { value, notes: Vec::new(), origins: Origins::default() }
    }
}

/// What the translation of one document needs and makes.
pub(crate) struct Work<'c> {
    catalog: &'c dyn Catalog,
    owner: &'c Owner,
    notes: Vec<String>,
    origins: Origins,
}

impl Work<'_> {
    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Translates a document. What it cannot read it leaves for the reader to report.
pub(crate) fn translate(value: Value, catalog: &dyn Catalog, owner: &Owner, problems: &mut Problems<'_>) -> Translated {
    let mut work = Work { catalog, owner, notes: Vec::new(), origins: Origins::default() };
    let value = match value {
        Value::Array(steps) => {
            work.origins.moved("/steps", "");
            let mut plan = Map::new();
            plan.insert("name".to_owned(), Value::from("Untitled plan"));
            plan.insert("steps".to_owned(), Value::Array(steps));
            Value::Object(plan)
        }
        other => other,
    };
    let Value::Object(plan) = value else { return Translated { value, notes: work.notes, origins: work.origins } };
    let plan = match pattern::is_pattern(&plan) {
        true => pattern::translate(plan, &mut work, problems),
        false => plan::translate(plan, &mut work, problems),
    };
    Translated { value: Value::Object(plan), notes: work.notes, origins: work.origins }
}
