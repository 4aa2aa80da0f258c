//! What changed between two plan documents, told by steps, edges and triggers instead of lines.

mod outline;
mod render;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use outline::Outline;
pub use render::Colour;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A field of the plan itself, such as `name` or `inputs`.
    Plan,
    Trigger,
    Step,
    /// An edge between two steps, written or from the order of the list.
    Edge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Added,
    Removed,
    Changed,
    /// A step stands elsewhere in its list, or in another list.
    Moved,
}

/// One change. `from` and `to` are `null` where a value is not there on that side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub part: Part,
    pub kind: Kind,
    /// The step's or trigger's id, the edge as `a → b`, empty for the plan itself.
    pub id: String,
    /// What of it, by path such as `params.url` or `retry.max_attempts`; empty for all of it.
    pub path: String,
    pub from: Value,
    pub to: Value,
}

/// The changes from one document to another: of the plan, its triggers, its steps and its edges, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    pub changes: Vec<Change>,
}

impl Diff {
    /// Both are normalised documents, as they are stored.
    pub fn between(from: &Value, to: &Value) -> Diff {
        let mut diff = Diff::default();
        diff.plan(from, to);
        diff.triggers(from, to);
        let (old, new) = (Outline::of(from), Outline::of(to));
        diff.steps(&old, &new);
        diff.edges(&old, &new);
        diff
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn add(&mut self, part: Part, kind: Kind, id: &str, values: (Value, Value)) {
        self.changes.push(Change { part, kind, id: id.to_owned(), path: String::new(), from: values.0, to: values.1 });
    }

    /// Every differing value inside of two objects, by path.
    fn inside(&mut self, part: Part, id: &str, from: &Value, to: &Value) {
        for differing in values::differing(from, to) {
            let kind = match (&differing.from, &differing.to) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                _ => Kind::Changed,
            };
            let (from, to) = (differing.from.cloned().unwrap_or_default(), differing.to.cloned().unwrap_or_default());
            self.changes.push(Change { part, kind, id: id.to_owned(), path: differing.path, from, to });
        }
    }

    fn plan(&mut self, from: &Value, to: &Value) {
        let own = |document: &Value| {
            let fields = document.as_object().into_iter().flatten();
            let fields = fields.filter(|(name, _)| !outline::LISTS.contains(&name.as_str()) && *name != "triggers");
            Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        self.inside(Part::Plan, "", &own(from), &own(to));
    }

    fn triggers(&mut self, from: &Value, to: &Value) {
        let (old, new) = (outline::triggers(from), outline::triggers(to));
        for (id, trigger) in &old {
            match new.get(id) {
                None => self.add(Part::Trigger, Kind::Removed, id, ((*trigger).clone(), Value::Null)),
                Some(now) => self.inside(Part::Trigger, id, trigger, now),
            }
        }
        for (id, trigger) in new.iter().filter(|(id, _)| !old.contains_key(*id)) {
            self.add(Part::Trigger, Kind::Added, id, (Value::Null, (*trigger).clone()));
        }
    }

    fn steps(&mut self, old: &Outline, new: &Outline) {
        for step in old.steps.iter().filter(|step| new.find(&step.id).is_none()) {
            self.add(Part::Step, Kind::Removed, &step.id, (step.own.clone(), Value::Null));
        }
        let moved = moved(old, new);
        for step in &new.steps {
            match old.find(&step.id) {
                None => self.add(Part::Step, Kind::Added, &step.id, (Value::Null, step.own.clone())),
                Some(before) => {
                    if moved.contains(step.id.as_str()) {
                        self.add(Part::Step, Kind::Moved, &step.id, (before.place().into(), step.place().into()));
                    }
                    self.inside(Part::Step, &step.id, &before.own, &step.own);
                }
            }
        }
    }

    fn edges(&mut self, old: &Outline, new: &Outline) {
        let (before, now): (BTreeSet<_>, BTreeSet<_>) = (old.edges().collect(), new.edges().collect());
        for edge in before.difference(&now) {
            self.add(Part::Edge, Kind::Removed, edge, (edge.clone().into(), Value::Null));
        }
        for edge in now.difference(&before) {
            self.add(Part::Edge, Kind::Added, edge, (Value::Null, edge.clone().into()));
        }
    }
}

/// Steps of both that stand in another list, or that the fewest moves within their list would have to take elsewhere.
fn moved<'n>(old: &Outline, new: &'n Outline) -> BTreeSet<&'n str> {
    let mut moved = BTreeSet::new();
    let mut lists: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for step in &new.steps {
        match old.find(&step.id) {
            Some(before) if before.list != step.list => drop(moved.insert(step.id.as_str())),
            Some(before) => lists.entry(&step.list).or_default().push((&step.id, before.index)),
            None => {}
        }
    }
    for steps in lists.values() {
        let stay = longest_rise(&steps.iter().map(|(_, index)| *index).collect::<Vec<_>>());
        moved.extend(steps.iter().enumerate().filter(|(at, _)| !stay.contains(at)).map(|(_, (id, _))| *id));
    }
    moved
}

/// Places of a longest rising subsequence, in n log n.
fn longest_rise(values: &[usize]) -> BTreeSet<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; values.len()];
    for (at, value) in values.iter().enumerate() {
        let length = ends.partition_point(|end| values[*end] < *value);
        before[at] = length.checked_sub(1).map(|last| ends[last]);
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    std::iter::successors(ends.last().copied(), |at| before[*at]).collect()
}
