//! `transform.json_parse`: reads JSON text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct JsonParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The JSON text.
    text: String,
}

impl Pure for JsonParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            example: json!({"text": "{\"paid\": true, \"items\": [1, 2]}"}),
            ..ActionSpec::of::<Params>("json_parse", "Read JSON", "Reads JSON text and gives the value.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let text = params.text.trim_start_matches('\u{feff}');
        serde_json::from_str(text).map_err(|error| invalid_input(format!("the text is not JSON: {error}")))
    }
}
