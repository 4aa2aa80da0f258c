//! Checks what an expression reads: names in scope, steps that have ended, fields that are known to exist.

use serde_json::Value;

use super::code;
use super::compiled::{ListRole, Plan, StepIx};
use super::document::OnErrorDoc;
use super::fields::one_of;
use super::near::{meant, nearest, shown, some_of};
use super::problems::Problems;
use super::schema_path;
use super::surroundings::{Hidden, Site, Surroundings};
use crate::Problem;
use crate::expr::{PathPart, Reference, ReferenceKind, StepField, StepKey};

/// The names that an action's per-item params see beside those of their step.
pub(crate) const PER_ITEM: &[&str] = &["item", "index"];

/// What an expression per event sees besides.
pub(crate) const PER_EVENT: &[&str] = &["event"];

const RUN: &[&str] = &["id", "plan_id", "url", "started_at", "previous", "environment", "status"];
const LOOP: &[&str] = &["index", "value", "output"];

/// What the checks of references need to know about the plan.
pub(crate) struct Known<'p, 'd> {
    pub surroundings: Surroundings<'p, 'd>,
    /// The inputs' schema, when the plan declares inputs.
    pub inputs: Option<&'p Value>,
    /// A lenient check asks nothing that depends on the catalogue.
    pub lenient: bool,
}

/// Checks one reference inside `text`, the text at `pointer`.
pub(crate) fn check(
    known: &Known<'_, '_>,
    site: Site<'_>,
    extra: &[&str],
    reference: &Reference,
    pointer: &str,
    text: &str,
    problems: &mut Problems<'_>,
) {
    if problems.is_full() {
        return;
    }
    let problem = match &reference.kind {
        ReferenceKind::Root(name) => root(known, site, extra, name, reference),
        ReferenceKind::Step(key, field) => step(known, site, key, *field, reference),
    };
    if let Some(problem) = problem {
        let (line, column) = line_column(text, reference.offset);
        problems.push_within(Problem { pointer: pointer.to_owned(), ..problem }, line, column);
    }
}

fn root(known: &Known<'_, '_>, site: Site<'_>, extra: &[&str], name: &str, reference: &Reference) -> Option<Problem> {
    let mut names = known.surroundings.names(site);
    names.extend(extra.iter().filter(|extra| !names.contains(extra)).copied().collect::<Vec<_>>());
    if !names.contains(&name) {
        return Some(unknown_name(known, site, name, &names));
    }
    let fields = |all: &[&str]| match reference.path.first() {
        Some(PathPart::Key(key)) if !all.contains(&key.as_str()) => Some(no_field(name, key, all.iter().copied())),
        _ => None,
    };
    match name {
        _ if reference.guarded => None,
        "inputs" => {
            let found = schema_path::missing(known.inputs?, &reference.path, schema_path::Open::AsWritten)?;
            Some(missing(&format!("inputs{}", found.walked), &found.part, &found.there))
        }
        "vars" => match (site, reference.path.first()) {
            (Site::Var { above }, Some(PathPart::Key(key))) if !above.contains(key) => {
                let mut problem = no_field("vars", key, above.iter().map(String::as_str));
                problem.message.push_str("; a variable sees those above it");
                Some(problem)
            }
            _ => None,
        },
        "run" => fields(RUN),
        "loop" => fields(LOOP),
        _ => None,
    }
}

fn unknown_name(known: &Known<'_, '_>, site: Site<'_>, name: &str, names: &[&str]) -> Problem {
    let surroundings = &known.surroundings;
    if let Some(ix) = surroundings.layout.ids.get(name)
        && surroundings.hidden(site, *ix).is_none()
    {
        let message = format!("\"{name}\" is a step; write steps.{name}.output");
        return Problem::new(code::UNKNOWN_NAME, "", message).expected(names.join(", ")).fix(format!("steps.{name}.output"));
    }
    let reason = match name {
        "item" | "index" => Some("is in scope only inside for_each"),
        "loop" => Some("is in scope only inside repeat"),
        "error" => Some("is in scope only inside on_error and finally"),
        "vars" | "inputs" | "run" | "steps" | "trigger" => Some("is not in scope here"),
        _ => None,
    };
    let problem = Problem::new(code::UNKNOWN_NAME, "", String::new()).expected(names.join(", "));
    if let Some(reason) = reason {
        return Problem { message: format!("\"{name}\" {reason}; in scope are {}", list(names)), ..problem };
    }
    let name = shown(name);
    match nearest(&name, names.iter().copied()) {
        Some(near) => Problem { message: format!("nothing is called \"{name}\" here; did you mean \"{near}\"?"), ..problem }.fix(near),
        None => Problem { message: format!("nothing is called \"{name}\" here; in scope are {}", list(names)), ..problem },
    }
}

fn list(names: &[&str]) -> String {
    one_of(names).replace(" or ", " and ")
}

fn step(known: &Known<'_, '_>, site: Site<'_>, key: &StepKey, field: StepField, reference: &Reference) -> Option<Problem> {
    let surroundings = &known.surroundings;
    let found = match key {
        StepKey::Id(id) => surroundings.layout.ids.get(id).copied(),
        StepKey::Index(index) => surroundings.layout.list_of(Plan::TOP).steps.get(*index).copied(),
    };
    let Some(target) = found else { return Some(unknown_step(surroundings, site, key)) };
    if let Some(hidden) = surroundings.hidden(site, target) {
        return Some(hidden_step(surroundings, target, &hidden));
    }
    if field != StepField::Output || reference.guarded || known.lenient {
        return None;
    }
    let in_loop = surroundings.layout.step(target).doc.for_each.is_some() || surroundings.layout.step(target).doc.repeat.is_some();
    if in_loop && is_undone_at(surroundings, site, target) {
        // The output of the item, not the list of all.
        return None;
    }
    let (schema, path) = output_schema(surroundings, target, &reference.path)?;
    let found = schema_path::missing(schema, path, schema_path::Open::AsClosed)?;
    let walked: String = reference.path[..reference.path.len() - path.len()].iter().map(schema_path::part_text).collect();
    Some(missing(&format!("steps.{}.output{walked}{}", surroundings.layout.step(target).id, found.walked), &found.part, &found.there))
}

/// Whether the reader takes back what `target` did.
fn is_undone_at(surroundings: &Surroundings<'_, '_>, site: Site<'_>, target: StepIx) -> bool {
    let Site::Step { ix, .. } = site else { return false };
    let layout = surroundings.layout;
    layout.list_of(layout.step(ix).list).role == ListRole::Undo(target)
}

/// What is known of a step's output, and the part of the path that it describes.
fn output_schema<'r>(surroundings: &'r Surroundings<'_, '_>, target: StepIx, path: &'r [PathPart]) -> Option<(&'r Value, &'r [PathPart])> {
    let laid = surroundings.layout.step(target);
    if laid.body.is_some() || matches!(laid.doc.on_error, Some(OnErrorDoc::Steps(_))) {
        return None;
    }
    let schema = laid.action.as_ref()?.1.spec().output.as_ref()?;
    if laid.doc.for_each.is_none() {
        return Some((schema, path));
    }
    match path.first() {
        Some(PathPart::Index(_)) => Some((schema, &path[1..])),
        _ => None,
    }
}

fn unknown_step(surroundings: &Surroundings<'_, '_>, site: Site<'_>, key: &StepKey) -> Problem {
    match key {
        StepKey::Index(index) => {
            let count = surroundings.layout.list_of(Plan::TOP).steps.len();
            let message = format!("there is no step {index}; the top list has {count}, counted from 0");
            Problem::new(code::UNKNOWN_STEP, "", message)
        }
        StepKey::Id(id) => {
            let visible = surroundings.visible(site);
            let near = nearest(id, visible.iter().copied());
            let mut problem = Problem::new(code::UNKNOWN_STEP, "", meant(format!("there is no step \"{}\"", shown(id)), near));
            if !visible.is_empty() {
                problem = problem.expected(some_of(visible));
            }
            near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near))
        }
    }
}

fn hidden_step(surroundings: &Surroundings<'_, '_>, target: StepIx, hidden: &Hidden) -> Problem {
    let layout = surroundings.layout;
    let id = &layout.step(target).id;
    let message = match hidden {
        Hidden::Own => format!("\"{id}\" reads itself; a step's output is there only after it has ended"),
        Hidden::Encloses => format!("\"{id}\" encloses this step and ends after it"),
        Hidden::NoRun => "steps cannot be read here: no run has begun".to_owned(),
        Hidden::Inside(list) => match layout.list_of(*list).role {
            ListRole::Body(outer) => format!(
                "\"{id}\" stands inside \"{}\" and is visible only there; read steps.{}.output",
                layout.step(outer).id,
                layout.step(outer).id
            ),
            ListRole::StepError(outer) => {
                format!("\"{id}\" stands in the on_error list of \"{}\" and is visible only there", layout.step(outer).id)
            }
            ListRole::Undo(outer) => format!("\"{id}\" takes back what \"{}\" did, and nothing sees it", layout.step(outer).id),
            ListRole::PlanError => format!("\"{id}\" stands in the plan's on_error list and is visible only there"),
            ListRole::Finally => format!("\"{id}\" stands in the plan's finally list and is visible only there"),
            ListRole::Top => format!("\"{id}\" is not visible here"),
        },
        Hidden::NotBefore { reader, later: true } => {
            let reader = &layout.step(*reader).id;
            format!("\"{id}\" comes later than \"{reader}\" and has not ended when it is read; move \"{reader}\" behind it")
        }
        Hidden::NotBefore { reader, later: false } => {
            format!("\"{}\" does not wait for \"{id}\"; add \"{id}\" to its needs", layout.step(*reader).id)
        }
    };
    Problem::new(code::NOT_AN_ANCESTOR, "", message)
}

fn no_field<'w>(what: &str, key: &str, there: impl Iterator<Item = &'w str>) -> Problem {
    missing(what, key, &there.map(str::to_owned).collect::<Vec<_>>())
}

/// In the words of the same failure in a run.
fn missing(what: &str, part: &str, there: &[String]) -> Problem {
    let near = nearest(part, there.iter().map(String::as_str));
    let listed: Vec<String> = there.iter().take(20).map(|name| format!("\"{}\"", shown(name))).collect();
    let mut message = format!("{} has no \"{}\"", shown(what), shown(part));
    if !listed.is_empty() {
        message.push_str(&format!("; it has {}", listed.join(", ")));
    }
    let problem = Problem::new(code::UNRESOLVED_REFERENCE, "", message).expected(some_of(there.iter().map(String::as_str)));
    near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near))
}

/// The 1-based line and column of a byte of a text; columns in characters.
pub(crate) fn line_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (super::layout::index(line), super::layout::index(column))
}
