//! `transform.pick`: keeps some fields of every item, under new names if wanted.

use std::borrow::Cow;

use indexmap::IndexMap;
use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::logic::bounds::{Weight, at_item, kind};
use crate::logic::list::Items;
use crate::logic::path::{Keys, Path};

pub(super) struct Pick;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A list of paths, each kept under its last name; or an object of new name → path. What an item lacks is null.
    fields: Fields,
}

struct Fields(Vec<(String, Path)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        match Value::deserialize(deserializer)? {
            value @ Value::Object(_) => {
                let fields: IndexMap<String, Path> = serde_json::from_value(value).map_err(D::Error::custom)?;
                Ok(Fields(fields.into_iter().collect()))
            }
            value @ Value::Array(_) => {
                let keys: Keys = serde_json::from_value(value).map_err(D::Error::custom)?;
                Ok(Fields(keys.paths().iter().map(|path| (path.name().to_owned(), path.clone())).collect()))
            }
            other => Err(D::Error::custom(format!("\"fields\" must be a list of paths or an object; it is {}", kind(&other)))),
        }
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = Path::json_schema(generator);
        json_schema!({"anyOf": [{"type": "array", "items": path, "minItems": 1}, {"type": "object", "additionalProperties": path}]})
    }
}

impl Items for Pick {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": "object"}})),
            example: json!({"items": [{"id": 7, "user": {"name": "Ada"}, "etag": "x"}], "fields": {"number": "id", "name": "user.name"}}),
            ..ActionSpec::of::<Params>("pick", "Pick fields", "Keeps only some fields of every item, under new names if wanted.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let mut weight = Weight::default();
        let picked = items.iter().enumerate().map(|(index, item)| {
            object(item).map_err(|fault| at_item(index, fault))?;
            let fields = params.fields.0.iter().map(|(name, path)| (name.clone(), path.get_or_null(item).clone()));
            let picked = Value::Object(fields.collect());
            weight.add(&picked).map(|()| picked)
        });
        picked.collect()
    }
}

fn object(item: &Value) -> Result<&Map<String, Value>, Fault> {
    item.as_object().ok_or_else(|| not_an_object(item))
}

pub(super) fn not_an_object(item: &Value) -> Fault {
    Fault::invalid_params(format!("an object is needed; this is {}", kind(item)))
}
