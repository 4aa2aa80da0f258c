//! What a run leaves behind when it succeeds: the changes that its steps recorded, as a fold over its journal.

use std::collections::{BTreeMap, HashSet};

use mainspring_model::state::{Digest, Digests, MAX_PENDING, MAX_PENDING_BYTES, StateChange, StateScope, StateWrite, added};
use serde_json::{Value, json};

/// A key or a set: they have names of their own.
type Slot = (StateScope, bool, String);

/// Pending changes by what they change, each with the path of its step: a step that runs again takes its change back.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    slots: BTreeMap<Slot, Vec<(String, StateWrite)>>,
    paths: BTreeMap<String, Slot>,
    bytes: usize,
}

/// What a step of provider `state` has to know of its own run.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Changes of the same key or set, in the order in which they were recorded.
    pub changes: Vec<StateWrite>,
    /// Keys that the run changes.
    pub keys: u64,
    /// There is room for another change.
    pub room: bool,
}

impl Pending {
    /// What stands under the key after the run's own changes.
    pub fn value(&self, stored: Option<Value>) -> Option<Value> {
        self.changes.iter().fold(stored, |value, write| match &write.change {
            StateChange::Set(value) => Some(value.clone()),
            StateChange::Add(by) => Some(Value::Number(added(value.as_ref(), by))),
            StateChange::Delete => None,
            StateChange::Remember(_) => value,
        })
    }

    /// What the run itself has seen of a set.
    pub fn seen(&self) -> HashSet<Digest> {
        let digests = self.changes.iter().filter_map(|write| match &write.change {
            StateChange::Remember(digests) => Some(&digests.0),
            _ => None,
        });
        digests.flatten().copied().collect()
    }
}

impl Memory {
    pub fn note(&mut self, path: &str, write: StateWrite) {
        self.take_back(path);
        self.bytes += write.size();
        let slot = (write.scope, matches!(write.change, StateChange::Remember(_)), write.key.clone());
        self.paths.insert(path.to_owned(), slot.clone());
        self.slots.entry(slot).or_default().push((path.to_owned(), write));
    }

    fn take_back(&mut self, path: &str) {
        let Some(slot) = self.paths.remove(path) else { return };
        if let Some(writes) = self.slots.get_mut(&slot) {
            if let Some(place) = writes.iter().position(|(of, _)| of == path) {
                self.bytes -= writes.remove(place).1.size();
            }
            if writes.is_empty() {
                self.slots.remove(&slot);
            }
        }
    }

    /// A body begins again: what its steps changed is as if it had not been.
    pub fn take_back_below(&mut self, path: &str) {
        let prefix = format!("{path}.");
        let below = self.paths.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix));
        for path in below.cloned().collect::<Vec<_>>() {
            self.take_back(&path);
        }
    }

    /// For a call with these params.
    pub fn before(&self, params: &Value) -> Pending {
        let scope = if params["scope"] == json!("organization") { StateScope::Organization } else { StateScope::Plan };
        let is_set = params.get("set").is_some();
        let name = params[if is_set { "set" } else { "key" }].as_str().unwrap_or_default();
        let writes = self.slots.get(&(scope, is_set, name.to_owned()));
        Pending {
            changes: writes.into_iter().flatten().map(|(_, write)| write.clone()).collect(),
            keys: self.slots.keys().filter(|slot| slot.0 == scope && !slot.1).count() as u64,
            room: self.paths.len() < MAX_PENDING && self.bytes < MAX_PENDING_BYTES,
        }
    }

    /// One change for each key and set.
    pub fn writes(&self) -> Vec<StateWrite> {
        self.slots.values().filter_map(|writes| writes.iter().map(|(_, write)| write.clone()).reduce(merged)).collect()
    }
}

/// Two changes of one key, or of one set, as one.
fn merged(first: StateWrite, then: StateWrite) -> StateWrite {
    let (until, change) = match (first.change, then.change) {
        (StateChange::Remember(mut seen), StateChange::Remember(more)) => {
            seen.0.extend(more.0);
            // None is for ever.
            (first.until.zip(then.until).map(|(a, b)| a.max(b)), StateChange::Remember(Digests(seen.0)))
        }
        (StateChange::Set(value), StateChange::Add(by)) => {
            (then.until.or(first.until), StateChange::Set(Value::Number(added(Some(&value), &by))))
        }
        (StateChange::Delete, StateChange::Add(by)) => (then.until, StateChange::Set(Value::Number(by))),
        (StateChange::Add(a), StateChange::Add(b)) => (then.until.or(first.until), StateChange::Add(mainspring_model::state::sum(&a, &b))),
        (_, change) => (then.until, change),
    };
    StateWrite { until, change, ..then }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(key: &str, change: StateChange) -> StateWrite {
        StateWrite { scope: StateScope::Plan, key: key.to_owned(), until: None, change }
    }

    #[test]
    fn changes_of_a_key_become_one() {
        let cases = [
            (vec![StateChange::Add(1.into()), StateChange::Add(2.into())], StateChange::Add(3.into())),
            (vec![StateChange::Set(json!(5)), StateChange::Add(2.into())], StateChange::Set(json!(7))),
            (vec![StateChange::Add(1.into()), StateChange::Set(json!("x"))], StateChange::Set(json!("x"))),
            (vec![StateChange::Set(json!(5)), StateChange::Delete], StateChange::Delete),
            (vec![StateChange::Delete, StateChange::Add(2.into())], StateChange::Set(json!(2))),
        ];
        for (changes, expected) in cases {
            let mut memory = Memory::default();
            for (step, change) in changes.into_iter().enumerate() {
                memory.note(&format!("s{step}"), write("k", change));
            }
            assert_eq!(memory.writes(), [write("k", expected)]);
            let stored = Some(json!(10));
            let one = Pending { changes: memory.writes(), ..Pending::default() };
            assert_eq!(memory.before(&json!({"key": "k"})).value(stored.clone()), one.value(stored), "as seen and as written");
        }
    }

    #[test]
    fn a_step_that_runs_again_takes_its_change_back() {
        let mut memory = Memory::default();
        memory.note("body[1].add", write("k", StateChange::Add(1.into())));
        memory.note("body[10].add", write("k", StateChange::Add(10.into())));
        memory.note("body[1].add", write("k", StateChange::Add(2.into())));
        assert_eq!(memory.writes(), [write("k", StateChange::Add(12.into()))]);
        memory.take_back_below("body[1]");
        assert_eq!(memory.writes(), [write("k", StateChange::Add(10.into()))]);
        memory.take_back_below("body[10]");
        assert_eq!((memory.writes(), memory.bytes), (vec![], 0));
    }

    #[test]
    fn a_set_and_a_key_of_one_name_are_two() {
        let mut memory = Memory::default();
        memory.note("a", write("k", StateChange::Remember(Digests(vec![[1; 16]]))));
        memory.note("b", write("k", StateChange::Set(json!(1))));
        assert_eq!(memory.before(&json!({"set": "k"})).seen(), HashSet::from([[1; 16]]));
        assert_eq!(memory.before(&json!({"key": "k"})).value(None), Some(json!(1)));
        assert_eq!(memory.before(&json!({"key": "k", "scope": "organization"})).value(None), None);
    }
}
