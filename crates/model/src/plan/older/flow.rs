//! Jumps of earlier conditions as edges, and the edges that earlier references leave unsaid.

use serde_json::{Map, Value};

use super::{Work, condition};
use crate::Problem;
use crate::plan::code;
use crate::plan::problems::Problems;

/// Turns each `else_jump` into an edge from the condition's `false` port. Without one, nothing follows a condition that is false.
pub(super) fn translate(mut steps: Vec<Value>, work: &mut Work<'_>, problems: &mut Problems<'_>) -> Vec<Value> {
    let jumps: Vec<(usize, Value)> = steps
        .iter_mut()
        .enumerate()
        .filter_map(|(place, step)| {
            let fields = step.as_object_mut()?;
            let is_condition = fields.get("action").and_then(Value::as_str) == Some(condition::ACTION);
            Some((place, fields.shift_remove("else_jump").filter(|_| is_condition)?))
        })
        .collect();
    // The earlier builder counted `order` from 1; a jump to 0 says that this document counts from 0.
    let base = u64::from(!jumps.iter().any(|(_, jump)| jump.as_u64() == Some(0)));
    for (place, jump) in jumps {
        let pointer = format!("{}/else_jump", work.origins.written(&format!("/steps/{place}")));
        let mut refuse = |message: String| problems.push(Problem::new(code::UNTRANSLATABLE, pointer.clone(), message));
        let Some(target) = jump.as_u64().and_then(|jump| jump.checked_sub(base)).and_then(|target| usize::try_from(target).ok()) else {
            refuse(format!("\"else_jump\" is the number of a step, not {jump}"));
            continue;
        };
        if target <= place {
            refuse("\"else_jump\" leads back; write the steps that repeat as the body of a \"repeat\"".to_owned());
            continue;
        }
        if target > steps.len() {
            refuse(format!("\"else_jump\" leads to step {jump}, and there are only {}", steps.len()));
            continue;
        }
        if target < steps.len() {
            join(&mut steps, place, target);
            work.note(format!("{pointer}: the jump is now an edge from the port \"false\""));
        } else {
            work.note(format!("{pointer}: the jump led behind the last step, where nothing follows"));
        }
    }
    steps
}

/// Lets the step at `target` follow the condition's `false` port, beside what it followed before.
fn join(steps: &mut [Value], condition: usize, target: usize) {
    let (from, before) = (id(steps, condition), id(steps, target - 1));
    let Some(fields) = steps[target].as_object_mut() else { return };
    let mut needs: Vec<Value> = match fields.get("needs") {
        Some(Value::Array(needs)) => needs.clone(),
        _ => vec![Value::from(before)],
    };
    needs.push(Value::from(format!("{from}:false")));
    fields.insert("needs".to_owned(), Value::Array(needs));
    fields.insert("join".to_owned(), Value::from("any"));
}

fn id(steps: &[Value], place: usize) -> String {
    steps[place].get("id").and_then(Value::as_str).map_or_else(|| format!("step_{}", place + 1), str::to_owned)
}

/// Adds to written `needs` the earlier steps that a step reads and does not wait for: the earlier engine ran all in order.
pub(super) fn read_steps(plan: &mut Map<String, Value>, work: &mut Work<'_>) {
    let Some(Value::Array(steps)) = plan.get("steps") else { return };
    let ids: Vec<String> = (0..steps.len()).map(|place| id(steps, place)).collect();
    let mut steps = steps.clone();
    let mut sources: Vec<Vec<usize>> = Vec::with_capacity(steps.len());
    for place in 0..steps.len() {
        let written = needs_of(&steps[place], &ids);
        let mut own = written.clone().unwrap_or_else(|| place.checked_sub(1).into_iter().collect());
        if written.is_some()
            && let Some(fields) = steps[place].as_object_mut()
        {
            for read in super::text::steps_read(fields, work) {
                let Some(source) = ids[..place].iter().position(|id| *id == read) else { continue };
                if reaches(&sources, &own, source) {
                    continue;
                }
                own.push(source);
                if let Some(Value::Array(needs)) = fields.get_mut("needs") {
                    needs.push(Value::from(read.clone()));
                }
                let pointer = work.origins.written(&format!("/steps/{place}"));
                work.note(format!("{pointer}: \"{read}\" was added to \"needs\", as the step reads it"));
            }
        }
        sources.push(own);
    }
    plan.insert("steps".to_owned(), Value::Array(steps));
}

fn needs_of(step: &Value, ids: &[String]) -> Option<Vec<usize>> {
    let needs = step.get("needs")?.as_array()?;
    let known = needs.iter().filter_map(Value::as_str).filter_map(|need| {
        let id = need.split(':').next().unwrap_or(need);
        ids.iter().position(|known| known == id)
    });
    Some(known.collect())
}

/// Whether `wanted` is among `from` or before them.
fn reaches(sources: &[Vec<usize>], from: &[usize], wanted: usize) -> bool {
    let mut open = from.to_vec();
    let mut seen = vec![false; sources.len()];
    while let Some(place) = open.pop() {
        if place == wanted {
            return true;
        }
        if let Some(seen) = seen.get_mut(place)
            && !std::mem::replace(seen, true)
        {
            open.extend(&sources[place]);
        }
    }
    false
}
