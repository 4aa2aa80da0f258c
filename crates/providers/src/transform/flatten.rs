//! `transform.flatten`: one level of fields with dotted names, as a table or a form needs them.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::logic::bounds::{Weight, at_item, within_items};
use crate::logic::pure::Pure;

use super::invalid_input;
use super::pick::not_an_object;

pub(super) struct Flatten;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An object, or a list of objects, each of which is flattened.
    value: Value,
    /// What stands between the parts of a name.
    #[serde(default = "dot")]
    #[schemars(length(min = 1))]
    separator: String,
}

pub(super) fn dot() -> String {
    ".".to_owned()
}

impl Pure for Flatten {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": ["object", "array"]})),
            example: json!({"value": {"id": 7, "customer": {"name": "Ada", "tags": ["new", "eu"]}}}),
            ..ActionSpec::of::<Params>("flatten", "Flatten", "Makes nested fields one level deep, named by their paths.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        objects(params.value, &params.separator, |fields, separator| {
            let mut flat = Map::new();
            let mut weight = Weight::default();
            for (name, value) in fields {
                write(name, value, separator, &mut flat, &mut weight)?;
            }
            Ok(flat)
        })
    }
}

/// Empty lists and objects stay as they are, so that `unflatten` finds them again.
fn write(name: String, value: Value, separator: &str, flat: &mut Map<String, Value>, weight: &mut Weight) -> Result<(), Fault> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.into_iter().try_for_each(|(inner, value)| write(format!("{name}{separator}{inner}"), value, separator, flat, weight))
        }
        Value::Array(items) if !items.is_empty() => {
            let mut items = items.into_iter().enumerate();
            items.try_for_each(|(index, value)| write(format!("{name}{separator}{index}"), value, separator, flat, weight))
        }
        // Deep data repeats its names in every leaf: the sum is watched, not only the end.
        leaf => {
            weight.add_bytes(name.len() + 4)?;
            weight.add(&leaf)?;
            match flat.contains_key(&name) {
                true => Err(invalid_input(format!("two fields become \"{name}\"; take another separator"))),
                false => {
                    flat.insert(name, leaf);
                    Ok(())
                }
            }
        }
    }
}

/// Does `change` to an object, or to each object of a list.
pub(super) fn objects(
    value: Value,
    separator: &str,
    change: impl Fn(Map<String, Value>, &str) -> Result<Map<String, Value>, Fault>,
) -> Result<Value, Fault> {
    if separator.is_empty() {
        return Err(Fault::invalid_params("\"separator\" is empty; names need at least one character between their parts"));
    }
    let one = |value: Value| match value {
        Value::Object(fields) => change(fields, separator).map(Value::Object),
        other => Err(not_an_object(&other)),
    };
    match value {
        Value::Array(items) => {
            within_items("value", items.len())?;
            let mut weight = Weight::default();
            let changed = items.into_iter().enumerate().map(|(index, item)| {
                let item = one(item).map_err(|fault| at_item(index, fault))?;
                weight.add(&item).map(|()| item)
            });
            changed.collect()
        }
        value => one(value),
    }
}
