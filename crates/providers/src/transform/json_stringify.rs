//! `transform.json_stringify`: writes a value as JSON text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::pure::Pure;

pub(super) struct JsonStringify;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Any value.
    value: Value,
    /// True: over several lines, indented by two spaces.
    #[serde(default)]
    pretty: bool,
}

impl Pure for JsonStringify {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"value": {"paid": true, "items": [1, 2]}}),
            ..ActionSpec::of::<Params>("json_stringify", "Write JSON", "Writes a value as JSON text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if !params.pretty {
            return Ok(Value::String(params.value.to_string()));
        }
        serde_json::to_string_pretty(&params.value)
            .map(Value::String)
            .map_err(|error| Fault::internal(format!("a value was not written: {error}")))
    }
}
