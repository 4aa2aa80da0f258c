//! The steps of a document by their ids: in which list each stands, where, after which, and its own fields.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// Lists of steps, in a plan and in a step.
pub(super) const LISTS: [&str; 3] = ["steps", "on_error", "finally"];

pub(super) struct Step {
    pub(super) id: String,
    /// Whose list: `steps`, `on_error`, `finally`, or `loop.steps`, `send.on_error`.
    pub(super) list: String,
    pub(super) index: usize,
    /// Without its inner lists and its edges, which are told by themselves.
    pub(super) own: Value,
    /// `a → b`, or `a:port → b`.
    edges: Vec<String>,
}

impl Step {
    pub(super) fn place(&self) -> String {
        format!("{}[{}]", self.list, self.index)
    }
}

#[derive(Default)]
pub(super) struct Outline {
    pub(super) steps: Vec<Step>,
    by_id: HashMap<String, usize>,
}

impl Outline {
    pub(super) fn of(document: &Value) -> Outline {
        let mut outline = Outline::default();
        for list in LISTS {
            // Ids that are left out count from the place in the list.
            let prefix = if list == "steps" { "step" } else { list };
            outline.list(&document[list], list.to_owned(), prefix);
        }
        outline
    }

    pub(super) fn find(&self, id: &str) -> Option<&Step> {
        self.by_id.get(id).map(|at| &self.steps[*at])
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = String> + '_ {
        self.steps.iter().flat_map(|step| step.edges.iter().cloned())
    }

    /// Depth is bounded where the document was read.
    fn list(&mut self, list: &Value, name: String, prefix: &str) {
        let mut before: Option<String> = None;
        for (index, step) in list.as_array().into_iter().flatten().enumerate() {
            let id = step["id"].as_str().map_or_else(|| format!("{prefix}_{}", index + 1), str::to_owned);
            let needs = match step.get("needs").and_then(Value::as_array) {
                Some(needs) => needs.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                None => before.into_iter().collect::<Vec<_>>(),
            };
            let edges = needs.iter().map(|need| format!("{need} → {id}")).collect();
            self.by_id.insert(id.clone(), self.steps.len());
            self.steps.push(Step { id: id.clone(), list: name.clone(), index, own: own(step), edges });
            for inner in ["steps", "on_error"] {
                if step[inner].is_array() {
                    self.list(&step[inner], format!("{id}.{inner}"), &id);
                }
            }
            before = Some(id);
        }
    }
}

fn own(step: &Value) -> Value {
    let fields = step.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| *name != "id" && *name != "needs" && !(LISTS.contains(&name.as_str()) && value.is_array()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

/// Triggers by id; one without is found by its type and place among those of its type.
pub(super) fn triggers(document: &Value) -> BTreeMap<String, &Value> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    let triggers = document["triggers"].as_array().into_iter().flatten().map(|trigger| {
        let kind = trigger["type"].as_str().unwrap_or_default();
        let nth = count.entry(kind).or_default();
        *nth += 1;
        (trigger["id"].as_str().map_or_else(|| format!("{kind}_{nth}"), str::to_owned), trigger)
    });
    triggers.collect()
}
