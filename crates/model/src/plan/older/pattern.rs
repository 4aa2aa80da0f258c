//! Pattern documents of the earlier orchestrator: steps that name a capability, read earlier ones by `{{…}}`, and are skipped by conditions.
//!
//! A capability is an action when there is one of that name, and otherwise the plan of that name, which is called.

mod condition;
mod path;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Work;
use crate::Problem;
use crate::plan::actions::ActionName;
use crate::plan::code;
use crate::plan::problems::Problems;
use crate::plan::read_step::to_identifier;

/// The input that carries what the caller's context was.
const CONTEXT: &str = "ctx";
/// What a reproducible answer rests on: where a pattern reads one of these, a run without it is refused.
const PINNED: [&str; 2] = ["pricing_pack_id", "ledger_commit_hash"];
/// The name of a step's result when it names none.
const LAST: &str = "last";

/// Whether a document is a pattern: a step has a capability, and none has an action.
pub(super) fn is_pattern(plan: &Map<String, Value>) -> bool {
    let steps = plan.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    steps.iter().any(|step| step.get("capability").is_some()) && !steps.iter().any(|step| step.get("action").is_some())
}

/// What earlier steps left, and under which names.
#[derive(Default)]
struct Known {
    /// `as` name and the id of its step; a later one of a name hides the earlier.
    results: Vec<(String, String)>,
    inputs: BTreeSet<String>,
    /// Members of the context that are read.
    context: BTreeSet<String>,
}

impl Known {
    fn step(&self, name: &str) -> Option<&str> {
        self.results.iter().rev().find(|(known, _)| known == name).map(|(_, id)| id.as_str())
    }

    /// The expression that a name stands for, and whether it is a step's.
    fn root(&self, name: &str) -> Option<String> {
        match name {
            CONTEXT => Some("inputs.ctx".to_owned()),
            "inputs" => Some("inputs".to_owned()),
            name => self.step(name).map(|id| format!("steps.{id}.output")),
        }
    }
}

pub(super) fn translate(mut pattern: Map<String, Value>, work: &mut Work<'_>, problems: &mut Problems<'_>) -> Map<String, Value> {
    let mut plan = Map::new();
    let text = |pattern: &Map<String, Value>, name: &str| pattern.get(name).and_then(Value::as_str).map(str::to_owned);
    for required in ["id", "name", "steps", "outputs"] {
        if !pattern.contains_key(required) {
            problems.push(Problem::new(code::MISSING_FIELD, "", format!("a pattern needs \"{required}\"")));
        }
    }
    let id = text(&pattern, "id").unwrap_or_default();
    let title = text(&pattern, "name").unwrap_or_default();
    plan.insert("name".to_owned(), Value::from(id.clone()));
    let description = [Some(title.clone()), text(&pattern, "description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    plan.insert("description".to_owned(), Value::from(description));
    let mark = json!({ "id": id, "name": title, "version": text(&pattern, "version").unwrap_or_default() });
    plan.insert("vars".to_owned(), json!({ "pattern": literal(mark) }));
    let mut known = Known::default();
    let inputs = inputs(pattern.shift_remove("inputs"), &mut known, problems);
    let steps = match pattern.shift_remove("steps") {
        Some(Value::Array(steps)) => self::steps(steps, &mut known, work, problems),
        _ => Vec::new(),
    };
    plan.insert("inputs".to_owned(), Value::Object(with_context(inputs, &known)));
    plan.insert("steps".to_owned(), Value::Array(steps));
    plan.insert("output".to_owned(), outputs(pattern.shift_remove("outputs"), &known));
    work.note(
        "a pattern became a plan named by its id; each capability is the action of that name, or the plan of that name, which is called",
    );
    for name in ["display", "presentation", "output_schemas", "rights_required", "export_allowed", "category", "tags", "author", "created"]
    {
        if pattern.contains_key(name) {
            work.note(format!("\"{name}\" was dropped: it says how the result is shown or who may see it, which a plan does not"));
        }
    }
    plan
}

/// A value that is no template, whatever stands in it.
fn literal(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => Value::Array(items.into_iter().map(literal).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, value)| (name, literal(value))).collect()),
        other => other,
    }
}

fn inputs(written: Option<Value>, known: &mut Known, problems: &mut Problems<'_>) -> Map<String, Value> {
    let mut inputs = Map::new();
    let Some(Value::Object(written)) = written else { return inputs };
    for (name, input) in written {
        if name == CONTEXT {
            let message = "an input is named \"ctx\", which is the caller's context in a pattern; give it another name";
            problems.push(Problem::new(code::UNTRANSLATABLE, "/inputs/ctx", message));
            continue;
        }
        let mut schema = Map::new();
        let (kind, format) = match input.get("type").and_then(Value::as_str) {
            Some("uuid") => (Some("string"), Some("uuid")),
            Some("date") => (Some("string"), Some("date")),
            kind => (kind, None),
        };
        schema.extend(kind.map(|kind| ("type".to_owned(), Value::from(kind))));
        schema.extend(format.map(|format| ("format".to_owned(), Value::from(format))));
        for field in ["description", "enum", "default", "required"] {
            // A default of null was none; a required input with a default was never missing.
            schema.extend(input.get(field).filter(|value| !value.is_null()).map(|value| (field.to_owned(), value.clone())));
        }
        if schema.contains_key("default") {
            schema.shift_remove("required");
        }
        known.inputs.insert(name.clone());
        inputs.insert(name, Value::Object(schema));
    }
    inputs
}

/// The inputs with the caller's context among them, as far as the pattern reads it.
fn with_context(mut inputs: Map<String, Value>, known: &Known) -> Map<String, Value> {
    let pinned: Vec<&str> = PINNED.into_iter().filter(|name| known.context.contains(*name)).collect();
    let properties: Map<String, Value> =
        pinned.iter().map(|name| ((*name).to_owned(), json!({ "type": "string", "minLength": 1 }))).collect();
    let mut context = json!({ "type": "object", "description": "The caller's context", "properties": properties });
    if pinned.is_empty() {
        context["default"] = json!({});
    } else {
        context["required"] = json!(true);
        context["allOf"] = json!([{ "required": pinned }]);
    }
    inputs.insert(CONTEXT.to_owned(), context);
    inputs
}

fn steps(steps: Vec<Value>, known: &mut Known, work: &mut Work<'_>, problems: &mut Problems<'_>) -> Vec<Value> {
    let mut made = Vec::with_capacity(steps.len());
    let mut ids = BTreeSet::new();
    for (place, step) in steps.into_iter().enumerate() {
        let pointer = format!("/steps/{place}");
        let Value::Object(mut step) = step else {
            made.push(step);
            continue;
        };
        let Some(Value::String(capability)) = step.shift_remove("capability") else {
            problems.push(Problem::new(code::MISSING_FIELD, pointer, "a step of a pattern needs \"capability\", a text"));
            continue;
        };
        let name = step.shift_remove("as").as_ref().and_then(Value::as_str).unwrap_or(LAST).to_owned();
        let id = fresh(&name, &mut ids);
        let mut fields = Map::new();
        fields.insert("id".to_owned(), Value::from(id.clone()));
        fields.insert("name".to_owned(), Value::from(capability.clone()));
        if let Some(Value::String(notes)) = step.shift_remove("description") {
            fields.insert("notes".to_owned(), Value::from(notes));
        }
        let mut args = step.shift_remove("args").unwrap_or_else(|| json!({}));
        path::fill(&mut args, &format!("{pointer}/args"), known, problems);
        match step.shift_remove("condition") {
            Some(Value::String(text)) if !text.trim().is_empty() => match condition::expression(&text, known) {
                Ok(expression) => drop(fields.insert("if".to_owned(), Value::from(expression))),
                Err(message) => problems.push(Problem::new(code::UNTRANSLATABLE, format!("{pointer}/condition"), message)),
            },
            Some(Value::Bool(value)) => drop(fields.insert("if".to_owned(), Value::from(value.to_string()))),
            _ => {}
        }
        if step.shift_remove("fallback").is_some() {
            work.note("\"fallback\" was dropped: the earlier orchestrator never read it");
        }
        if is_action(&capability, work) {
            fields.insert("action".to_owned(), Value::from(capability));
            fields.insert("params".to_owned(), args);
            fields.insert("retry".to_owned(), json!({ "max_attempts": 4, "delay": "1s", "factor": 2, "max_delay": "4s" }));
        } else {
            fields.insert("action".to_owned(), Value::from("logic.call"));
            fields.insert("params".to_owned(), json!({ "plan": literal(Value::from(capability)), "inputs": args }));
        }
        // Only now: a step does not see its own name.
        known.results.push((name, id));
        made.push(Value::Object(fields));
    }
    made
}

fn is_action(capability: &str, work: &Work<'_>) -> bool {
    let found =
        ActionName::parse(capability).and_then(|name| work.catalog.provider(work.owner, name.provider)?.action(name.action).cloned());
    found.is_some()
}

fn fresh(name: &str, ids: &mut BTreeSet<String>) -> String {
    let base = Some(to_identifier(name)).filter(|id| !id.is_empty()).unwrap_or_else(|| LAST.to_owned());
    let names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}_{number}")));
    let id = names.into_iter().find(|id| !ids.contains(id)).unwrap_or_default();
    ids.insert(id.clone());
    id
}

/// Names of results, or objects that say which result they show.
fn outputs(written: Option<Value>, known: &Known) -> Value {
    let names: Vec<String> = match written {
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| item.as_str().or_else(|| item.get("id")?.as_str()).map(str::to_owned)).collect()
        }
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let outputs = names.into_iter().map(|name| {
        // What no step leaves was null in the answer, and so it is here.
        let value = known.step(&name).map_or(Value::Null, |id| Value::from(format!("${{steps.{id}.output}}")));
        (name, value)
    });
    Value::Object(outputs.collect())
}
