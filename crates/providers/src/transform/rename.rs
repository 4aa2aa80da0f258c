//! `transform.rename`: gives fields of every item other names and leaves them in their places.

use std::collections::HashMap;

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::logic::bounds::{Weight, at_item};
use crate::logic::list::Items;

use super::invalid_input;
use super::pick::not_an_object;

pub(super) struct Rename;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Name as it is → name as it shall be. Names that an item lacks are passed over.
    fields: HashMap<String, String>,
}

impl Items for Rename {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": "object"}})),
            example: json!({"items": [{"First Name": "Ada", "age": 36}], "fields": {"First Name": "first_name"}}),
            ..ActionSpec::of::<Params>("rename", "Rename fields", "Gives fields of every item other names.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let mut weight = Weight::default();
        let renamed = items.into_iter().enumerate().map(|(index, item)| {
            let item = match item {
                Value::Object(fields) => rename(fields, &params.fields),
                other => Err(not_an_object(&other)),
            };
            let item = item.map_err(|fault| at_item(index, fault))?;
            weight.add(&item).map(|()| item)
        });
        renamed.collect()
    }
}

fn rename(fields: Map<String, Value>, names: &HashMap<String, String>) -> Result<Value, Fault> {
    let mut renamed = Map::with_capacity(fields.len());
    for (name, value) in fields {
        let name = names.get(&name).cloned().unwrap_or(name);
        // Taking the later value would lose the earlier one without a word.
        if renamed.contains_key(&name) {
            return Err(invalid_input(format!("two fields would be called \"{name}\"")));
        }
        renamed.insert(name, value);
    }
    Ok(Value::Object(renamed))
}
