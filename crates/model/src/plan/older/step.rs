//! The fields of an earlier step.

use serde_json::{Map, Value, json};

use super::{Work, condition, text};
use crate::Problem;
use crate::plan::code;
use crate::plan::problems::Problems;
use crate::plan::read_step::{is_identifier, to_identifier};
use crate::value::pointer_join;

/// Steps in their present fields, in their `order`. Jumps stay as `else_jump`, for `flow` to turn into edges.
pub(super) fn translate(steps: Vec<Value>, base: &str, work: &mut Work<'_>, problems: &mut Problems<'_>) -> Vec<Value> {
    let mut placed: Vec<(usize, Value)> = steps.into_iter().enumerate().collect();
    let order = |step: &Value| step.get("order").and_then(Value::as_f64).unwrap_or(f64::MAX);
    if placed.iter().all(|(_, step)| step.get("order").is_some_and(Value::is_number)) {
        placed.sort_by(|(_, one), (_, two)| order(one).total_cmp(&order(two)));
    }
    if placed.iter().enumerate().any(|(place, (written, _))| place != *written) {
        work.note("the steps now stand in the order that \"order\" gives");
    }
    for (place, (written, _)) in placed.iter().enumerate() {
        work.origins.moved(format!("/steps/{place}"), format!("{base}/{written}"));
    }
    let steps = placed.into_iter().enumerate().map(|(place, (written, step))| match step {
        Value::Object(fields) => {
            let mut step = Step { fields, now: format!("/steps/{place}"), written: format!("{base}/{written}"), work, problems };
            step.translate();
            Value::Object(step.fields)
        }
        other => other,
    });
    steps.collect()
}

struct Step<'w, 'c, 'p, 's> {
    fields: Map<String, Value>,
    /// Its pointer in the translated document, and in the written one.
    now: String,
    written: String,
    work: &'w mut Work<'c>,
    problems: &'p mut Problems<'s>,
}

impl Step<'_, '_, '_, '_> {
    fn translate(&mut self) {
        // Earlier clients sent every field, with null for what does not apply.
        self.fields.retain(|_, value| !value.is_null());
        if self.fields.shift_remove("order").is_some() {
            self.work.note("\"order\" was dropped: steps run in the order of their list");
        }
        self.id();
        self.rename("action_id", "action");
        if self.fields.contains_key("action") {
            self.rename("action_name", "name")
        } else {
            self.rename("action_name", "action")
        }
        self.rename("parameters", "params");
        self.rename("description", "notes");
        self.retries();
        self.depends_on();
        self.kind();
        if let Some(condition) = self.fields.shift_remove("condition")
            && let Some(expression) = condition::expression(&condition)
        {
            self.put("if", "condition", Value::String(expression));
            self.note("\"condition\" is now \"if\"");
        }
        if self.fields.get("loop_config").is_some() {
            self.fields.shift_remove("loop_config");
            self.note("\"loop_config\" was dropped: the step's type is not \"loop\"");
        }
        if self.fields.get("else_jump").is_some() && self.fields.get("action").and_then(Value::as_str) != Some(condition::ACTION) {
            self.fields.shift_remove("else_jump");
            self.note("\"else_jump\" was dropped: the step's type is not \"condition\"");
        }
    }

    fn note(&mut self, text: &str) {
        let note = format!("{}: {text}", self.written);
        self.work.note(note);
    }

    fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(code::UNTRANSLATABLE, pointer_join(&self.written, field), message));
    }

    /// Puts a field that was written under another name.
    fn put(&mut self, name: &str, written_as: &str, value: Value) {
        self.work.origins.moved(pointer_join(&self.now, name), pointer_join(&self.written, written_as));
        self.fields.insert(name.to_owned(), value);
    }

    fn rename(&mut self, older: &str, ours: &str) {
        let Some(value) = self.fields.shift_remove(older) else { return };
        match self.fields.get(ours) {
            Some(there) if *there == value => {}
            Some(_) if ours == "name" || ours == "notes" => self.note(&format!("\"{older}\" was dropped: \"{ours}\" is there already")),
            Some(_) => self.problem(older, format!("\"{older}\" is the earlier name of \"{ours}\"; write one of them")),
            None => {
                self.put(ours, older, value);
                self.note(&format!("\"{older}\" is now \"{ours}\""));
            }
        }
    }

    /// Earlier ids could be any text or number.
    fn id(&mut self) {
        let new = match self.fields.get("id") {
            Some(Value::Number(number)) => format!("step_{number}"),
            Some(Value::String(text)) if !is_identifier(text) => to_identifier(text),
            _ => return,
        };
        let written = self.fields.get("id").map(Value::to_string).unwrap_or_default();
        if is_identifier(&new) {
            self.fields.insert("id".to_owned(), Value::from(new.clone()));
            self.note(&format!("the id {written} is now \"{new}\""));
        } else {
            self.fields.shift_remove("id");
            self.note(&format!("the id {written} was dropped"));
        }
    }

    fn retries(&mut self) {
        let Some(retries) = self.fields.shift_remove("retries") else { return };
        match retries.as_u64().filter(|retries| *retries < 100) {
            Some(retries) => {
                self.put("retry", "retries", json!({ "max_attempts": retries + 1, "delay": "1s", "factor": 1 }));
                self.note("\"retries\" is now \"retry\": one attempt more than retries, a second apart");
            }
            None => self.problem("retries", format!("\"retries\" is a whole number from 0 to 99, not {retries}")),
        }
    }

    fn depends_on(&mut self) {
        let Some(needs) = self.fields.shift_remove("depends_on") else { return };
        let list = match needs {
            Value::Array(items) => items,
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            one => vec![one],
        };
        let ids = list.into_iter().map(|id| match id {
            Value::Number(number) => Value::String(format!("step_{number}")),
            Value::String(text) if !is_identifier(&text) && !text.contains(':') => Value::String(to_identifier(&text)),
            other => other,
        });
        let ids: Vec<Value> = ids.collect();
        self.put("needs", "depends_on", Value::Array(ids));
        self.note("\"depends_on\" is now \"needs\"");
    }

    fn kind(&mut self) {
        let Some(kind) = self.fields.shift_remove("type") else { return };
        match kind.as_str() {
            Some("condition") => self.condition(),
            Some("loop") => self.each(),
            Some("action" | "step" | "task" | "api" | "provider" | "") => self.note("\"type\" was dropped"),
            _ => self.problem("type", format!("the earlier step type {kind} is not known; it was action, condition or loop")),
        }
    }

    /// A condition becomes `logic.if`: its ports are where the jumps begin.
    fn condition(&mut self) {
        let written = self.fields.shift_remove("condition").unwrap_or(Value::Null);
        let Some(expression) = condition::expression(&written) else {
            self.problem("condition", "a step of the type \"condition\" needs a \"condition\", such as {{step_1.output}} == yes");
            return;
        };
        for name in ["provider", "action", "params", "credential"] {
            if self.fields.shift_remove(name).is_some() {
                self.note(&format!("\"{name}\" was dropped: a condition calls nothing"));
            }
        }
        self.fields.insert("action".to_owned(), Value::from(condition::ACTION));
        self.put("params", "condition", json!({ "condition": format!("${{{expression}}}") }));
        self.work.origins.moved(format!("{}/params/condition", self.now), format!("{}/condition", self.written));
        self.note("the type \"condition\" is now the action \"logic.if\"");
    }

    fn each(&mut self) {
        let config = self.fields.shift_remove("loop_config").unwrap_or(Value::Null);
        let source = config.get("items_source").or_else(|| config.get("items")).cloned().unwrap_or(Value::Null);
        let most = config.get("max_iterations").and_then(Value::as_u64).unwrap_or(100);
        let source = match source {
            Value::Object(mut object) => object.shift_remove("items").unwrap_or(Value::Null),
            other => other,
        };
        let items = match source {
            Value::Array(items) => Value::Array(items.into_iter().take(usize::try_from(most).unwrap_or(usize::MAX)).collect()),
            Value::String(text) => Value::String(condition::items(&text, most)),
            _ => {
                self.problem("loop_config", "a step of the type \"loop\" needs loop_config.items_source: step_N, a list, or {items: […]}");
                return;
            }
        };
        self.put("for_each", "loop_config", items);
        self.note(&format!("the type \"loop\" is now \"for_each\", over the first {most} items"));
    }
}

/// Drops the plan's name that the earliest callers repeated in every step.
pub(super) fn drop_plan_names(plan: &mut Map<String, Value>, work: &mut Work<'_>) {
    for step in plan.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        if step.shift_remove("plan_name").is_some() {
            work.note("\"plan_name\" was dropped from the steps: the plan has it");
        }
    }
}

/// Drops `params.action` where it repeats the step's action and the action has no such param.
pub(super) fn drop_action_params(plan: &mut Map<String, Value>, work: &mut Work<'_>) {
    let Some(Value::Array(steps)) = plan.get_mut("steps") else { return };
    for (place, step) in steps.iter_mut().enumerate() {
        let Value::Object(fields) = step else { continue };
        let Some(full) = text::action_name(fields) else { continue };
        let action = full.split_once('.').map_or(full.as_str(), |(_, action)| action);
        let repeats = fields
            .get("params")
            .and_then(|params| params.get("action"))
            .and_then(Value::as_str)
            .is_some_and(|text| text == action || text == full);
        if !repeats || text::has_param(&full, "action", work) {
            continue;
        }
        if let Some(Value::Object(params)) = fields.get_mut("params") {
            params.shift_remove("action");
            let written = work.origins.written(&format!("/steps/{place}/params"));
            work.note(format!("{written}: \"action\" was dropped, as it repeats the step's action"));
        }
    }
}
