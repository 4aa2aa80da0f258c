//! Whether a run that waits can go on by another version of its plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainspring_model::event::{AttemptStatus, Event, EventBody};
use mainspring_model::plan::Plan;
use mainspring_model::plan::diff::{Diff, Kind, Part};
use mainspring_model::run::{RunHeader, StepStatus};

use super::{Run, RunKeys, path, view};

/// `Ok` when the journal is one that the new version could have written, and what the run waits in is the same in both.
/// `changes` are those from the old document to the new one; the journal has all values in place.
///
/// # Errors
/// Why not, for people.
pub fn fits(
    old: &Arc<Plan>,
    new: &Arc<Plan>,
    changes: &Diff,
    header: &Arc<RunHeader>,
    keys: &Arc<dyn RunKeys>,
    events: &[Event],
) -> Result<(), String> {
    match new.inputs.accept(&header.inputs) {
        Ok(inputs) if inputs == header.inputs => {}
        Ok(_) => return Err("the new version has inputs that the run was not given".to_owned()),
        Err(problems) => {
            let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            return Err(format!("the run's inputs do not fit the new version: {first}"));
        }
    }
    let views = view::steps(old, header, keys.clone(), events).map_err(|illegal| illegal.to_string())?;
    let ended: BTreeSet<&str> = views.iter().filter(|view| has_ended(view.status)).map(|view| view.id.as_str()).collect();
    let touched: BTreeSet<&str> = changes
        .changes
        .iter()
        .filter(|change| change.part == Part::Step && (change.kind != Kind::Added || !change.path.is_empty()))
        .map(|change| change.id.as_str())
        .collect();
    for open in open(events) {
        let parts = path::parse(&open).unwrap_or_default();
        if parts.first().is_some_and(|first| ended.contains(first.id)) {
            continue;
        }
        if let Some(part) = parts.iter().find(|part| touched.contains(part.id)) {
            return Err(format!("the run is in the step \"{}\", which is another one in the new version", part.id));
        }
    }
    let moved = Run::replay(new.clone(), header.clone(), keys.clone(), events.to_vec());
    moved.map(|_| ()).map_err(|illegal| format!("what the run did does not fit the new version: {}", illegal.reason))
}

fn has_ended(status: StepStatus) -> bool {
    !matches!(status, StepStatus::Pending | StepStatus::Running | StepStatus::Waiting)
}

/// Paths that something began at and nothing ended. The end of a loop is no event, so an ended one may be among them.
fn open(events: &[Event]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for event in events {
        match &event.body {
            EventBody::Started(started) => drop(open.insert(started.path.clone())),
            EventBody::Waiting { path, .. }
            | EventBody::Held { path, .. }
            | EventBody::Called { path, .. }
            | EventBody::Awaited { path, .. }
            | EventBody::Opened { path, .. }
            | EventBody::Pass { path, .. }
            | EventBody::BodyFailed { path, retry_at: Some(_), .. } => drop(open.insert(path.clone())),
            EventBody::Attempted(attempted) if attempted.status == AttemptStatus::Retrying => drop(open.insert(attempted.path.clone())),
            EventBody::Attempted(attempted) => drop(open.remove(&attempted.path)),
            EventBody::Skipped { path } | EventBody::Closed { path } | EventBody::BodyFailed { path, .. } => drop(open.remove(path)),
            _ => {}
        }
    }
    open
}
