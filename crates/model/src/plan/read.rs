//! Reads a document's value into its typed form, finding all problems of shape at once. What the parts mean together is `check`'s.

use serde_json::{Map, Value};

use super::code;
use super::document::{ConcurrencyDoc, PlanDoc, StepDoc};
use super::fields::{Fields, wrong_type};
use super::names::{self, Noun};
use super::problems::Problems;
use super::{read_step, read_test, read_trigger};
use crate::Problem;
use crate::budget::Budget;
use crate::flow::{MOST_LIVE, Policy, Priority};
use crate::value::pointer_join;

/// Steps in one document.
pub(crate) const MAX_STEPS: usize = 1_000;
/// Lists of steps within each other.
pub(crate) const MAX_LEVELS: usize = 64;

/// What is counted over a whole document.
#[derive(Default)]
pub(crate) struct Counted {
    pub steps: usize,
    pub too_deep: bool,
}

/// The document, and whether all of its steps were read.
pub(crate) fn read(value: &Value, problems: &mut Problems<'_>) -> (PlanDoc, bool) {
    let Some(fields) = Fields::of(Noun::Plan, value, "", problems) else { return (PlanDoc::default(), false) };
    fields.refuse_unknown(names::PLAN, problems);
    let mut counted = Counted::default();
    let plan = PlanDoc {
        name: name(&fields, problems),
        description: fields.text("description", problems),
        original_prompt: fields.text("original_prompt", problems),
        inputs: inputs(&fields, problems),
        vars: named(&fields, "vars", problems),
        triggers: read_trigger::triggers(&fields, problems),
        steps: match fields.map.get("steps") {
            None => {
                problems.push(Problem::new(code::MISSING_FIELD, "", "a plan needs \"steps\", the list of what it does").expected("steps"));
                Vec::new()
            }
            Some(_) => steps(&fields, "steps", 1, &mut counted, problems).unwrap_or_default(),
        },
        output: fields.map.get("output").cloned(),
        on_error: steps(&fields, "on_error", 1, &mut counted, problems),
        finally: steps(&fields, "finally", 1, &mut counted, problems),
        timeout: fields.get("timeout").cloned(),
        deadline: fields.get("deadline").cloned(),
        concurrency: concurrency(&fields, problems),
        budget: budget(&fields, problems),
        priority: fields.word("priority", &Priority::ALL.map(|priority| (priority.as_str(), priority)), problems),
        tag: read_step::tag(&fields, problems),
        tests: read_test::tests(&fields, problems),
    };
    if counted.steps > MAX_STEPS {
        let message = format!("the document has {} steps; at most 1,000 are allowed", thousands(counted.steps));
        problems.push(Problem::new(code::TOO_MANY_STEPS, "/steps", message).expected("at most 1,000 steps"));
    }
    (plan, counted.steps <= MAX_STEPS && !counted.too_deep)
}

fn name(fields: &Fields<'_>, problems: &mut Problems<'_>) -> String {
    if fields.get("name").is_none() {
        problems.push(Problem::new(code::MISSING_FIELD, "", "a plan needs a \"name\"").expected("name"));
        return String::new();
    }
    let name = fields.text("name", problems).unwrap_or_default();
    let length = name.trim().chars().count();
    if fields.map.get("name").is_some_and(Value::is_string) && !(1..=200).contains(&length) {
        let message = format!("\"name\" is text of 1 to 200 characters; this has {length}");
        problems.push(Problem::new(code::INVALID_VALUE, "/name", message).expected("1 to 200 characters"));
    }
    name
}

fn inputs(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Map<String, Value> {
    let inputs = named(fields, "inputs", problems);
    for (name, property) in &inputs {
        if !property.is_object() {
            let pointer = pointer_join("/inputs", name);
            let problem =
                wrong_type(&pointer, "an input is declared by an object such as {type: number, required: true}", "an object", property);
            let known = property.as_str().filter(|word| ["string", "number", "integer", "boolean", "array", "object"].contains(word));
            problems.push(if let Some(word) = known { problem.fix(format!("{{type: {word}}}")) } else { problem });
        }
    }
    inputs
}

fn concurrency(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<ConcurrencyDoc> {
    let value = fields.filled("concurrency", problems)?;
    let inner = Fields::of(Noun::Concurrency, value, &fields.at("concurrency"), problems)?;
    inner.refuse_unknown(names::CONCURRENCY, problems);
    if inner.get("limit").is_none() {
        let problem = Problem::new(
            code::MISSING_FIELD,
            inner.pointer.as_str(),
            "\"concurrency\" needs \"limit\", how many runs may live side by side",
        );
        problems.push(problem.expected("limit"));
    }
    Some(ConcurrencyDoc {
        limit: inner.whole("limit", 1, MOST_LIVE, problems).unwrap_or(1),
        key: inner.get("key").cloned(),
        policy: inner.word("policy", &Policy::ALL.map(|policy| (policy.as_str(), policy)), problems),
    })
}

fn budget(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Budget> {
    let value = fields.filled("budget", problems)?;
    let inner = Fields::of(Noun::Budget, value, &fields.at("budget"), problems)?;
    inner.refuse_unknown(names::BUDGET, problems);
    if names::BUDGET.iter().all(|name| inner.get(name).is_none()) {
        let message = "\"budget\" says what a run may spend on models: cost_usd, tokens, calls, or several of them";
        problems.push(Problem::new(code::MISSING_FIELD, inner.pointer.as_str(), message).expected("cost_usd, tokens or calls"));
    }
    let cost_usd = inner.get("cost_usd").and_then(|value| match value.as_f64().filter(|cost| *cost >= 0.0) {
        Some(cost) => Some(cost),
        None => {
            let message = "\"cost_usd\" is an amount of US dollars, such as 0.50";
            problems.push(wrong_type(&inner.at("cost_usd"), message, "a number of 0 or more", value));
            None
        }
    });
    let mut whole = |name| inner.whole(name, 0, u32::MAX, problems).map(u64::from);
    Some(Budget { cost_usd, tokens: whole("tokens"), calls: whole("calls") })
}

/// An object of names that are not empty.
fn named(fields: &Fields<'_>, field: &str, problems: &mut Problems<'_>) -> Map<String, Value> {
    let map = fields.object(field, problems).cloned().unwrap_or_default();
    for name in map.keys().filter(|name| name.trim().is_empty() || name.chars().count() > 200) {
        let pointer = pointer_join(&fields.at(field), name);
        problems.push_key(Problem::new(code::INVALID_VALUE, pointer, format!("a name in \"{field}\" has 1 to 200 characters")));
    }
    map
}

/// A list of steps, `level` lists of steps deep. Deeper lists than allowed are reported once and not read.
pub(crate) fn steps(
    fields: &Fields<'_>,
    name: &str,
    level: usize,
    counted: &mut Counted,
    problems: &mut Problems<'_>,
) -> Option<Vec<StepDoc>> {
    let items = fields.list(name, problems)?;
    Some(step_list(items, &fields.at(name), level, counted, problems))
}

pub(crate) fn step_list(items: &[Value], pointer: &str, level: usize, counted: &mut Counted, problems: &mut Problems<'_>) -> Vec<StepDoc> {
    if level > MAX_LEVELS {
        if !std::mem::replace(&mut counted.too_deep, true) {
            let message = format!("steps stand more than {MAX_LEVELS} deep in each other");
            problems.push(Problem::new(code::TOO_DEEP, pointer, message).expected("at most 64 levels"));
        }
        return Vec::new();
    }
    counted.steps += items.len();
    if counted.steps > MAX_STEPS {
        // Counted on, so that the message tells how many there are, but not read.
        counted.steps += items.iter().map(inner_steps).sum::<usize>();
        return Vec::new();
    }
    items.iter().enumerate().map(|(place, item)| read_step::step(item, &format!("{pointer}/{place}"), level, counted, problems)).collect()
}

/// Steps inside a step that is not read any more. The value's depth is bounded by its reader.
fn inner_steps(step: &Value) -> usize {
    ["steps", "on_error"]
        .into_iter()
        .filter_map(|name| step.get(name)?.as_array())
        .map(|items| items.len() + items.iter().map(inner_steps).sum::<usize>())
        .sum()
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
