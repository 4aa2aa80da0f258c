//! Steps named by number: `step_N` counts the top list from 1, or from 0 in a document that uses `step_0`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Work;
use super::text::{self, Kind};
use crate::Problem;
use crate::expr::{Expr, PathPart, ReferenceKind, StepKey, older, rename_steps, rename_steps_in_text};
use crate::plan::code;
use crate::plan::problems::Problems;

/// The N of `step_N`.
pub(super) fn number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("step_")?;
    let plain =
        (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// What `step_N` stands for in one document.
struct Numbers {
    /// Written ids of the top list, by place.
    ids: Vec<Option<String>>,
    from_zero: bool,
}

impl Numbers {
    /// A number that is not the written id of a step.
    fn counted(&self, name: &str) -> Option<usize> {
        number(name).filter(|_| !self.ids.iter().flatten().any(|id| id == name))
    }

    /// The id of the step that `step_N` names. Beyond the end it stays, for the check to report.
    fn id(&self, name: &str) -> String {
        let Some(number) = self.counted(name) else { return name.to_owned() };
        let place = if self.from_zero { Some(number) } else { number.checked_sub(1) };
        match place.and_then(|place| Some((place, self.ids.get(place)?))) {
            Some((_, Some(id))) => id.clone(),
            Some((place, None)) => format!("step_{}", place + 1),
            None => name.to_owned(),
        }
    }
}

/// Finds how the document counts, and writes every numbered step by its id. `bare`: a param that is exactly `step_N` is its output.
pub(super) fn translate(plan: &mut Map<String, Value>, bare: bool, work: &mut Work<'_>, problems: &mut Problems<'_>) {
    let steps = plan.get("steps").and_then(Value::as_array);
    let ids: Vec<_> = steps.into_iter().flatten().map(|step| step.get("id").and_then(Value::as_str).map(str::to_owned)).collect();
    let mut numbers = Numbers { ids, from_zero: false };
    let used = used(plan, bare, &numbers, work);
    let count = numbers.ids.len();
    numbers.from_zero = used.contains(&0);
    if numbers.from_zero && used.contains(&count) {
        let message = format!(
            "the document counts its steps from 0 (it uses step_0) and from 1 (it uses step_{count}, the last of {count}); count them in one way"
        );
        problems.push(
            Problem::new(code::MIXED_NUMBERING, "/steps", message).expected("step_N counted from 1 throughout, or from 0 throughout"),
        );
        return;
    }
    if numbers.from_zero {
        needs(plan, &mut |id| *id = numbers.id(id));
        work.note("the document counts its steps from 0 (it uses step_0); every reference now names its step's id");
    }
    let (braces, bares) = (Cell::new(false), Cell::new(false));
    text::plan(plan, work, &mut |text, kind| {
        if bare && kind == Kind::Template && number(text).is_some() {
            *text = format!("${{steps.{}.output}}", numbers.id(text));
            bares.set(true);
            return;
        }
        if numbers.from_zero
            && let Some(made) = renamed(text, kind, &|name| numbers.counted(name).map(|_| numbers.id(name)))
        {
            *text = made;
        }
        if let Some(made) = older::rewrite(text, &|inner| spelled(inner, &numbers)) {
            *text = made;
            braces.set(true);
        }
    });
    if braces.get() {
        work.note("\"{{step_N.…}}\" is now \"${steps.<id>.…}\"");
    }
    if bares.get() {
        work.note("a param that is exactly \"step_N\" is now \"${steps.<id>.output}\"");
    }
}

/// Every number by which some step is named.
fn used(plan: &mut Map<String, Value>, bare: bool, numbers: &Numbers, work: &Work<'_>) -> BTreeSet<usize> {
    let used = RefCell::new(BTreeSet::new());
    let saw = |name: &str| used.borrow_mut().extend(numbers.counted(name));
    needs(plan, &mut |id| saw(id));
    text::plan(plan, work, &mut |text, kind| {
        if bare && kind == Kind::Template && number(text).is_some() {
            saw(text);
            return;
        }
        // Both only look: they are given nothing to write.
        let _ = older::rewrite(text, &|inner| {
            numbered_roots(inner).iter().for_each(|root| saw(&root.name));
            None
        });
        let _ = renamed(text, kind, &|name| {
            saw(name);
            None
        });
    });
    used.into_inner()
}

/// A text with the steps of its expressions renamed.
fn renamed(text: &str, kind: Kind, new: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let new = |key: StepKey| match key {
        StepKey::Id(id) => new(&id).map(StepKey::Id),
        StepKey::Index(_) => None,
    };
    if kind == Kind::Expression && !text.contains("${") { rename_steps(text, &new) } else { rename_steps_in_text(text, &new) }
}

/// Calls `visit` with every step that the top list's steps need.
fn needs(plan: &mut Map<String, Value>, visit: &mut dyn FnMut(&mut String)) {
    for step in plan.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten() {
        for need in step.get_mut("needs").and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::String(text) = need else { continue };
            let (mut id, port) = match text.split_once(':') {
                Some((id, port)) => (id.to_owned(), Some(port.to_owned())),
                None => (text.clone(), None),
            };
            visit(&mut id);
            *text = port.map_or_else(|| id.clone(), |port| format!("{id}:{port}"));
        }
    }
}

/// A `step_N` that an expression starts a path with.
struct Root {
    offset: usize,
    name: String,
    first: Option<PathPart>,
    more: bool,
}

fn numbered_roots(inner: &str) -> Vec<Root> {
    let Ok(expr) = Expr::parse(inner) else { return Vec::new() };
    let roots = expr.references().iter().filter_map(|reference| match &reference.kind {
        ReferenceKind::Root(name) if number(name).is_some() => Some(Root {
            offset: reference.offset,
            name: name.clone(),
            first: reference.path.first().cloned(),
            more: reference.path.len() > 1,
        }),
        _ => None,
    });
    roots.collect()
}

/// The content of a `{{…}}` that reads numbered steps, as an expression of today.
pub(super) fn spelled_by(inner: &str, id: &dyn Fn(&str) -> String) -> Option<String> {
    let roots = numbered_roots(inner);
    if roots.is_empty() {
        return None;
    }
    let mut text = inner.to_owned();
    for root in roots.iter().rev() {
        let end = root.offset + root.name.len();
        let rest = text.get(end..)?.to_owned();
        let step = format!("steps.{}", id(&root.name));
        let (made, rest) = match &root.first {
            None => (format!("{step}.output"), rest.as_str()),
            // What the earlier results had beside output and message.
            Some(PathPart::Key(key)) if key == "success" && !root.more && rest.starts_with(".success") => {
                (format!("({step}.status == 'success')"), &rest[".success".len()..])
            }
            Some(_) => (step, rest.as_str()),
        };
        text = format!("{}{made}{rest}", text.get(..root.offset)?);
    }
    Some(text)
}

fn spelled(inner: &str, numbers: &Numbers) -> Option<String> {
    spelled_by(inner, &|name| numbers.id(name))
}
