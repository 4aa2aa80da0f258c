//! `transform.omit`: drops some fields of every item.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::at_item;
use crate::logic::list::Items;
use crate::logic::path::Path;

use super::pick::not_an_object;

pub(super) struct Omit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Paths of the fields to drop; those that an item lacks are passed over.
    fields: Vec<Path>,
}

impl Items for Omit {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": "object"}})),
            example: json!({"items": [{"id": 7, "password": "x", "user": {"name": "Ada", "ssn": "y"}}], "fields": ["password", "user.ssn"]}),
            ..ActionSpec::of::<Params>("omit", "Omit fields", "Drops some fields of every item.")
        }
    }

    fn run(&self, mut items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        for (index, item) in items.iter_mut().enumerate() {
            if !item.is_object() {
                return Err(at_item(index, not_an_object(item)));
            }
            params.fields.iter().for_each(|path| path.remove(item));
        }
        Ok(Value::Array(items))
    }
}
