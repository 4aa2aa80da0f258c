//! Rewrites every text of a plan that can hold an expression, leaving alone what is never scanned.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::Work;
use crate::action::ParamKind;
use crate::expr::{StepKey, rename_steps, rename_steps_in_text};
use crate::plan::actions::ActionName;

/// How a text is read where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A template's text.
    Template,
    /// An expression field's.
    Expression,
}

type Visit<'f> = dyn FnMut(&mut String, Kind) + 'f;

/// Calls `visit` for every text of the plan in a template or expression field.
pub(super) fn plan(plan: &mut Map<String, Value>, work: &Work<'_>, visit: &mut Visit<'_>) {
    for name in ["vars", "output"] {
        plan.get_mut(name).into_iter().for_each(|value| values(value, Kind::Template, visit));
    }
    for list in ["steps", "on_error", "finally"] {
        plan.get_mut(list).into_iter().for_each(|value| steps(value, work, visit));
    }
}

fn steps(list: &mut Value, work: &Work<'_>, visit: &mut Visit<'_>) {
    for step in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        one(step, work, visit);
    }
}

/// Calls `visit` for every text of one step and of the steps inside it.
pub(super) fn one(step: &mut Map<String, Value>, work: &Work<'_>, visit: &mut Visit<'_>) {
    step.get_mut("if").into_iter().for_each(|value| values(value, Kind::Expression, visit));
    if let Some(items) = step.get_mut("for_each") {
        let kind = if items.is_array() { Kind::Template } else { Kind::Expression };
        values(items, kind, visit);
    }
    if let Some(Value::Object(repeat)) = step.get_mut("repeat") {
        for (name, kind) in [("until", Kind::Expression), ("start", Kind::Template), ("next", Kind::Template)] {
            repeat.get_mut(name).into_iter().for_each(|value| values(value, kind, visit));
        }
    }
    params(step, work, visit);
    for list in ["steps", "on_error"] {
        step.get_mut(list).into_iter().for_each(|value| steps(value, work, visit));
    }
}

/// Calls `visit` for every text in the step's params that is scanned.
pub(super) fn params(step: &mut Map<String, Value>, work: &Work<'_>, visit: &mut Visit<'_>) {
    let action = action_name(step);
    let spec = action
        .as_deref()
        .and_then(ActionName::parse)
        .and_then(|name| work.catalog.provider(work.owner, name.provider)?.action(name.action).cloned());
    let Some(Value::Object(params)) = step.get_mut("params") else { return };
    for (name, value) in params {
        match spec.as_ref().map_or(ParamKind::Template, |action| action.spec().param_kind(name)) {
            ParamKind::Literal => {}
            ParamKind::PerItem | ParamKind::PerEvent => values(value, Kind::Expression, visit),
            ParamKind::Template | ParamKind::PerItemTemplate => values(value, Kind::Template, visit),
        }
    }
}

/// `provider.action` of a step in its present form.
pub(super) fn action_name(step: &Map<String, Value>) -> Option<String> {
    let action = step.get("action")?.as_str()?;
    match step.get("provider").and_then(Value::as_str) {
        Some(provider) if !action.starts_with(&format!("{provider}.")) => Some(format!("{provider}.{action}")),
        _ => Some(action.to_owned()),
    }
}

/// Depth is bounded where the document was read.
fn values(value: &mut Value, kind: Kind, visit: &mut Visit<'_>) {
    match value {
        Value::String(text) => visit(text, kind),
        Value::Array(items) => items.iter_mut().for_each(|item| values(item, kind, visit)),
        Value::Object(fields) => fields.values_mut().for_each(|field| values(field, kind, visit)),
        _ => {}
    }
}

/// Whether the action declares a param of that name.
pub(super) fn has_param(action: &str, param: &str, work: &Work<'_>) -> bool {
    let found = ActionName::parse(action).and_then(|name| work.catalog.provider(work.owner, name.provider)?.action(name.action).cloned());
    found.is_some_and(|action| action.spec().params.pointer("/properties").and_then(|properties| properties.get(param)).is_some())
}

/// Ids of the steps that a step's expressions read.
pub(super) fn steps_read(step: &mut Map<String, Value>, work: &Work<'_>) -> Vec<String> {
    let ids = RefCell::new(Vec::new());
    one(step, work, &mut |text, kind| {
        let saw = |key: StepKey| {
            if let StepKey::Id(id) = key
                && !ids.borrow().contains(&id)
            {
                ids.borrow_mut().push(id);
            }
            None
        };
        let _ = if kind == Kind::Expression && !text.contains("${") { rename_steps(text, &saw) } else { rename_steps_in_text(text, &saw) };
    });
    ids.into_inner()
}
