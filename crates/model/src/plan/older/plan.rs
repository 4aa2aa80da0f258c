//! The fields of an earlier plan around its steps.

use serde_json::{Map, Value, json};

use super::{Work, flow, numbering, step, trigger};
use crate::Problem;
use crate::plan::code;
use crate::plan::problems::Problems;
use crate::plan::source::{Format, parse};

pub(super) fn translate(mut plan: Map<String, Value>, work: &mut Work<'_>, problems: &mut Problems<'_>) -> Map<String, Value> {
    let older = is_older(&plan);
    let mut bare = false;
    dropped(&mut plan, work);
    trigger::translate(&mut plan, work);
    let mut base = "/steps".to_owned();
    if let Some(found) = plan.shift_remove("plan_json") {
        base = unpack(found, &mut plan, work, problems);
    }
    if let Some(Value::Array(steps)) = plan.get("steps") {
        // In a document that was unpacked from `plan_json`, the marks of an earlier one stand inside.
        if older || is_older(&plan) {
            let steps = steps.clone();
            bare = steps.iter().any(|step| step.get("parameters").is_some() || step.get("depends_on").is_some());
            let steps = step::translate(steps, &base, work, problems);
            let steps = flow::translate(steps, work, problems);
            plan.insert("steps".to_owned(), Value::Array(steps));
        }
    }
    step::drop_plan_names(&mut plan, work);
    step::drop_action_params(&mut plan, work);
    numbering::translate(&mut plan, bare, work, problems);
    if bare {
        flow::read_steps(&mut plan, work);
    }
    plan
}

/// Whether the document has fields that only earlier ones have.
fn is_older(plan: &Map<String, Value>) -> bool {
    const STEP: [&str; 6] = ["order", "action_id", "action_name", "parameters", "else_jump", "loop_config"];
    let steps = plan.get("steps").and_then(Value::as_array);
    plan.contains_key("plan_json")
        || plan.contains_key("plain_english_steps")
        || steps
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .any(|step| STEP.iter().any(|name| step.contains_key(*name)) || (step.contains_key("depends_on") && step.contains_key("type")))
}

fn dropped(plan: &mut Map<String, Value>, work: &mut Work<'_>) {
    if plan.shift_remove("user_id").is_some() {
        work.note("\"user_id\" was dropped: a plan belongs to the caller who saves it");
    }
    if plan.shift_remove("required_providers").is_some() {
        work.note("\"required_providers\" was dropped: the steps say which providers they use");
    }
    match plan.shift_remove("enabled") {
        Some(Value::Bool(false)) => {
            work.note("\"enabled: false\" was dropped: triggers fire as soon as the plan is saved; remove them to stop it")
        }
        Some(_) => work.note("\"enabled\" was dropped: triggers fire as soon as the plan is saved"),
        None => {}
    }
    let Some(sentences) = plan.shift_remove("plain_english_steps") else { return };
    let sentences: Vec<&str> = sentences.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let has_description = plan.get("description").is_some_and(|description| !description.is_null());
    if has_description || sentences.is_empty() {
        work.note("\"plain_english_steps\" was dropped");
    } else {
        plan.insert("description".to_owned(), Value::from(sentences.join("\n")));
        work.note("\"plain_english_steps\" is now \"description\"");
    }
}

/// The steps of a `plan_json`: a list, an object with `steps`, or the JSON text of one of these. Gives where they stood.
fn unpack(found: Value, plan: &mut Map<String, Value>, work: &mut Work<'_>, problems: &mut Problems<'_>) -> String {
    if plan.get("steps").is_some_and(|steps| !steps.is_null()) {
        problems.push_key(Problem::new(
            code::CONFLICTING_FIELDS,
            "/plan_json",
            "\"plan_json\" is the earlier name of \"steps\"; write one of them",
        ));
        return "/steps".to_owned();
    }
    let found = match found {
        Value::String(text) => match parse(&text, Format::Json) {
            Ok(source) => source.value,
            Err(inner) => {
                let reason = inner.first().map(|problem| problem.message.clone()).unwrap_or_default();
                problems.push(Problem::new(code::SYNTAX, "/plan_json", format!("the JSON text in \"plan_json\" cannot be read: {reason}")));
                json!([])
            }
        },
        other => other,
    };
    let (steps, base) = match found {
        Value::Object(mut inner) => {
            let steps = inner.shift_remove("steps").unwrap_or_else(|| json!([]));
            // What stood beside the steps is the plan's, where the plan says nothing itself.
            for (name, value) in inner {
                plan.entry(name).or_insert(value);
            }
            (steps, "/plan_json/steps")
        }
        other => (other, "/plan_json"),
    };
    plan.insert("steps".to_owned(), steps);
    work.origins.moved("/steps", base);
    work.note("\"plan_json\" is now \"steps\"");
    base.to_owned()
}
