//! `transform.jsonl_parse`: reads JSON Lines, one value on each line.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::logic::bounds::{Weight, within_items};
use crate::logic::pure::Pure;

pub(super) struct JsonlParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text: one JSON value on each line; empty lines are passed over.
    text: String,
}

impl Pure for JsonlParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"text": "{\"id\": 1}\n{\"id\": 2}\n"}),
            ..ActionSpec::of::<Params>("jsonl_parse", "Read JSON Lines", "Reads a list from text with one JSON value on each line.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut weight = Weight::default();
        let mut items = Vec::new();
        for (place, line) in params.text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            within_items("the list of lines", items.len() + 1)?;
            let number = place + 1;
            // The library counts lines too, and each of ours is its first.
            let value: Value = serde_json::from_str(line).map_err(|error| {
                let what = error.to_string().replace(" at line 1 column ", ", column ");
                invalid_input(format!("item {}: line {number} is not JSON: {what}", items.len()))
            })?;
            weight.add(&value)?;
            items.push(value);
        }
        Ok(Value::Array(items))
    }
}
