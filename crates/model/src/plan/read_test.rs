//! Reads the tests of a document.

use serde_json::{Map, Value};

use super::code;
use super::document::{ExpectDoc, TestDoc};
use super::fields::{Fields, unknown_word};
use super::names::{self, Noun};
use super::problems::Problems;
use crate::Problem;
use crate::run::RunStatus;
use crate::value::pointer_join;

/// Tests in one document.
const MAX_TESTS: usize = 100;
const STEP_STATUSES: [&str; 8] = ["pending", "running", "waiting", "success", "error", "skipped", "not_reached", "cancelled"];

pub(crate) fn tests(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Vec<TestDoc> {
    let Some(items) = fields.get("tests").and_then(|_| fields.list("tests", problems)) else { return Vec::new() };
    if items.len() > MAX_TESTS {
        let message = format!("the document has {} tests; at most {MAX_TESTS} are allowed", items.len());
        problems.push(Problem::new(code::DOCUMENT_LIMIT, "/tests", message));
        return Vec::new();
    }
    items.iter().enumerate().filter_map(|(place, value)| test(value, &format!("/tests/{place}"), problems)).collect()
}

fn test(value: &Value, pointer: &str, problems: &mut Problems<'_>) -> Option<TestDoc> {
    let fields = Fields::of(Noun::Test, value, pointer, problems)?;
    fields.refuse_unknown(names::TEST, problems);
    if fields.get("expect").is_none() {
        let message = "a test needs \"expect\", what the run should end like, such as {output: 5}";
        problems.push(Problem::new(code::MISSING_FIELD, pointer, message).expected("expect"));
    }
    let object = |name: &str, problems: &mut Problems<'_>| fields.object(name, problems).cloned().unwrap_or_default();
    Some(TestDoc {
        name: fields.text("name", problems),
        inputs: object("inputs", problems),
        trigger: fields.object("trigger", problems).cloned().map(Value::Object),
        pinned: object("pinned", problems),
        expect: expect(&fields, problems).unwrap_or_default(),
    })
}

fn expect(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<ExpectDoc> {
    let inner = Fields::of(Noun::Expect, fields.get("expect")?, &fields.at("expect"), problems)?;
    inner.refuse_unknown(names::EXPECT, problems);
    let statuses: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
    Some(ExpectDoc {
        status: status(&inner, &statuses, problems),
        output: inner.map.get("output").cloned(),
        error: inner.text("error", problems),
        steps: steps(&inner, problems),
    })
}

fn steps(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Map<String, Value> {
    let steps = fields.object("steps", problems).cloned().unwrap_or_default();
    for (id, value) in &steps {
        let pointer = pointer_join(&fields.at("steps"), id);
        if let Some(inner) = Fields::of(Noun::ExpectStep, value, &pointer, problems) {
            inner.refuse_unknown(names::EXPECT_STEP, problems);
            status(&inner, &STEP_STATUSES, problems);
            inner.text("error", problems);
        }
    }
    steps
}

fn status(fields: &Fields<'_>, known: &[&str], problems: &mut Problems<'_>) -> Option<String> {
    let word = fields.text("status", problems)?;
    if !known.contains(&word.as_str()) {
        problems.push(unknown_word(&fields.at("status"), "\"status\"", &word, known.iter().copied()));
    }
    Some(word)
}
