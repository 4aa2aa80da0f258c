//! `transform.jsonl_format`: writes a list as JSON Lines.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use serde_json::{Value, json};

use crate::logic::bounds::Weight;
use crate::logic::list::{Items, NoParams};

pub(super) struct JsonlFormat;

impl Items for JsonlFormat {
    type Params = NoParams;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"items": [{"id": 1}, "two", null]}),
            ..ActionSpec::of::<NoParams>("jsonl_format", "Write JSON Lines", "Writes each item of a list as one line of JSON.")
        }
    }

    fn run(&self, items: Vec<Value>, _: NoParams, _: &Context) -> Result<Value, Fault> {
        let mut weight = Weight::default();
        let mut text = String::new();
        for item in items {
            let before = text.len();
            text.push_str(&item.to_string());
            text.push('\n');
            weight.add_bytes(text.len() - before)?;
        }
        Ok(Value::String(text))
    }
}
