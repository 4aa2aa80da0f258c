//! `logic.unique`: keeps the first of equal items.

use std::collections::HashSet;

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::compare::content_key;
use super::list::Items;
use super::path::Keys;

pub(super) struct Unique;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A path, or a list of paths, that tells items apart. Without it the whole item does. Missing is null.
    by: Option<Keys>,
}

impl Items for Unique {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"items": [{"email": "a@b.c", "n": 1}, {"email": "a@b.c", "n": 2}, {"email": "d@e.f", "n": 3}], "by": "email"}),
            ..ActionSpec::of::<Params>("unique", "Unique", "Drops items that repeat an earlier one.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let mut seen = HashSet::new();
        let key = |item: &Value| match &params.by {
            Some(by) => content_key(&by.of(item)),
            None => content_key(item),
        };
        Ok(items.into_iter().filter(|item| seen.insert(key(item))).collect())
    }
}
