//! What the audit log says of a plan: its name and version, and which of its parts changed. Never what stands in them, which may be secret.

use std::collections::BTreeSet;

use mainspring_model::store::PlanRecord;
use serde_json::{Map, Value, json};

/// More changed parts than this are told by their number.
const MOST: usize = 50;

pub fn brief(plan: &PlanRecord) -> Value {
    let steps = plan.document["steps"].as_array().map_or(0, Vec::len);
    json!({ "name": plan.name, "version": plan.version, "draft": plan.draft, "steps": steps })
}

/// A plan as it is now, with the parts that changed since.
pub fn since(before: &PlanRecord, now: &PlanRecord) -> Value {
    let mut brief = brief(now);
    let mut changed = changed(&before.document, &now.document);
    let more = changed.len().saturating_sub(MOST);
    changed.truncate(MOST);
    brief["changed"] = json!(changed);
    if more > 0 {
        brief["more_changed"] = json!(more);
    }
    brief
}

/// The members of a document that differ; of its steps each by its id.
fn changed(before: &Value, now: &Value) -> Vec<String> {
    let empty = Map::new();
    let (old, new) = (before.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changed = Vec::new();
    for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
        let of = steps(old.get(name)).zip(steps(new.get(name)));
        match of {
            Some((old, new)) if name == "steps" => {
                let ids: BTreeSet<&str> = old.iter().chain(&new).map(|(id, _)| *id).collect();
                let find =
                    |steps: &[(&str, &Value)], id: &str| steps.iter().find(|(known, _)| *known == id).map(|(_, step)| (*step).clone());
                let differ: Vec<&str> = ids.into_iter().filter(|id| find(&old, id) != find(&new, id)).collect();
                if differ.is_empty() {
                    // In another order.
                    changed.push(name.clone());
                }
                changed.extend(differ.into_iter().map(|id| format!("steps/{id}")));
            }
            _ => changed.push(name.clone()),
        }
    }
    changed
}

/// Each with its id; `None` when one has none.
fn steps(part: Option<&Value>) -> Option<Vec<(&str, &Value)>> {
    part?.as_array()?.iter().map(|step| Some((step["id"].as_str()?, step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_name_and_never_by_value() {
        let before = json!({"name": "a", "vars": {"token": "s3cret"}, "steps": [{"id": "x", "n": 1}, {"id": "y"}, {"id": "z"}]});
        let now = json!({"name": "a", "vars": {"token": "other"}, "steps": [{"id": "x", "n": 2}, {"id": "z"}, {"id": "w"}], "output": 1});
        assert_eq!(changed(&before, &now), ["output", "steps/w", "steps/x", "steps/y", "vars"]);
        let turned = json!({"name": "a", "vars": {"token": "s3cret"}, "steps": [{"id": "y"}, {"id": "x", "n": 1}, {"id": "z"}]});
        assert_eq!(changed(&before, &turned), ["steps"]);
        assert_eq!(changed(&before, &before), [""; 0]);
        assert_eq!(changed(&json!({"steps": [{"action": "a"}]}), &json!({"steps": [{"action": "b"}]})), ["steps"]);
    }
}
