//! `logic.group`: puts items with the same key together.
//!
//! The output is a list of `{key, items}` and not an object by key: keys keep their type (1 and "1" stay apart), and
//! `for_each` goes over it as it is.

use std::collections::HashMap;

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::compare::content_key;
use super::list::Items;
use super::path::Keys;

pub(super) struct Group;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A path into each item, whose value is the key; or a list of paths, and the key is an object of their values. Missing is null.
    by: Keys,
}

impl Items for Group {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let one = json!({"type": "object", "properties": {"key": true, "items": {"type": "array"}}, "required": ["key", "items"]});
        ActionSpec {
            output: Some(json!({"type": "array", "items": one})),
            example: json!({"items": [{"city": "Oslo", "n": 1}, {"city": "Rome", "n": 2}, {"city": "Oslo", "n": 3}], "by": "city"}),
            ..ActionSpec::of::<Params>("group", "Group", "Puts items with the same key together, as a list of {key, items}.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let groups = grouped(items, |item| params.by.of(item));
        Ok(groups.into_iter().map(|(key, items)| json!({"key": key, "items": items})).collect())
    }
}

/// Groups in the order in which their keys first appear.
pub(super) fn grouped<T>(items: impl IntoIterator<Item = T>, key_of: impl Fn(&T) -> Value) -> Vec<(Value, Vec<T>)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(Value, Vec<T>)> = Vec::new();
    for item in items {
        let key = key_of(&item);
        let place = *places.entry(content_key(&key)).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(item);
    }
    groups
}
