//! Messages for what is not there: they name what is, and the nearest name.

use std::fmt::Write;

use serde_json::Value;

use super::access::Place;
use super::fuel::Stop;
use super::scope::{Scope, StepField, StepKey};
use super::tree::{Access, Base, Node, Part};
use super::words;
use crate::problem::nearest;
use crate::{Code, Fault};

fn unresolved(message: String) -> Stop {
    Stop::Fault(Box::new(Fault::new(Code::UNRESOLVED_REFERENCE, message)))
}

/// `; it has "a", "b" (did you mean "a"?)`.
fn with_names(mut message: String, given: &str, known: &[&str]) -> Stop {
    message.push_str(&words::names(known.iter().copied()));
    if let Some(near) = nearest(given, known.iter().copied()) {
        let _ = write!(message, " (did you mean {near:?}?)");
    }
    unresolved(message)
}

pub(super) fn root(name: &str, scope: &dyn Scope) -> Stop {
    let roots = scope.root_names();
    let known: Vec<&str> = roots.iter().map(String::as_str).chain(["steps"]).collect();
    with_names(format!("there is no {name:?} here; in scope are "), name, &known)
}

pub(super) fn step(key: &StepKey, scope: &dyn Scope) -> Stop {
    let steps = scope.step_names();
    let known: Vec<&str> = steps.iter().map(String::as_str).collect();
    let given = match key {
        StepKey::Id(id) => id.clone(),
        StepKey::Index(index) => index.to_string(),
    };
    if known.is_empty() {
        return unresolved(format!("there is no step {given:?} before this one; no step is"));
    }
    with_names(format!("there is no step {given:?} before this one; there are "), &given, &known)
}

/// The part of `path` at `at` is not in `found`.
pub(super) fn part(path: &Access, at: usize, place: &Place, found: &Value) -> Stop {
    let label = label(path, at);
    let wanted = match place {
        Place::Key(key) => format!("{:?}", words::shorten(key, 40)),
        Place::Index(index) => format!("[{index}]"),
        Place::Nowhere(text) => format!("[{text}]"),
    };
    match (found, place) {
        (Value::Null, _) => unresolved(format!("{label} is null, so it has no {wanted}; `?.`, `??` or default() allow for that")),
        (Value::Object(fields), _) if fields.is_empty() => unresolved(format!("{label} has no {wanted}; it is an empty object")),
        (Value::Object(fields), Place::Key(key)) => {
            let known: Vec<&str> = fields.keys().map(String::as_str).collect();
            with_names(format!("{label} has no {wanted}; it has "), key, &known)
        }
        (Value::Object(fields), _) => {
            let known: Vec<&str> = fields.keys().map(String::as_str).collect();
            with_names(format!("{label} has no {wanted}; it is an object and has "), "", &known)
        }
        (Value::Array(items), Place::Key(_)) => unresolved(format!(
            "{label} is a list of {}, so it has no {wanted}; take one item, `[0]`, or use a method such as map()",
            items.len()
        )),
        (Value::Array(items), _) => unresolved(format!("{label} has no {wanted}; it is a list of {}, counted from 0", items.len())),
        (Value::String(text), Place::Index(_) | Place::Nowhere(_)) => {
            unresolved(format!("{label} has no {wanted}; it is text of {} characters", text.chars().count()))
        }
        (other, _) => unresolved(format!("{label} is {}, so it has no {wanted}", words::kind(other))),
    }
}

/// A method is called on null.
pub(super) fn receiver(node: &Node, method: &str) -> Stop {
    let label = match node {
        Node::Access(path) => self::label(path, path.parts.len()),
        Node::Guard(inner) => match &**inner {
            Node::Access(path) => self::label(path, path.parts.len()),
            _ => "this value".to_owned(),
        },
        _ => "this value".to_owned(),
    };
    unresolved(format!("{label} is null, so it has no {method}(); `?.`, `??` or default() allow for that"))
}

/// A path as its author wrote it, up to part `parts`.
fn label(path: &Access, parts: usize) -> String {
    let mut label = match &path.base {
        Base::Root(name) | Base::Local { name, .. } => name.clone(),
        Base::Step(key, field) => {
            let name = StepField::NAMES.iter().find(|(_, known)| known == field).map_or("", |(name, _)| name);
            match key {
                StepKey::Id(id) => format!("steps.{id}.{name}"),
                StepKey::Index(index) => format!("steps[{index}].{name}"),
            }
        }
        Base::Node(_) => "this value".to_owned(),
    };
    for part in &path.parts[..parts] {
        let _ = match part {
            Part::Key(key) if is_name(key) => write!(label, ".{key}"),
            Part::Key(key) => write!(label, "[{key:?}]"),
            Part::Index(index) => write!(label, "[{index}]"),
            Part::Dynamic(_) => write!(label, "[…]"),
        };
    }
    label
}

fn is_name(key: &str) -> bool {
    !key.starts_with(|c: char| c.is_ascii_digit()) && !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}
