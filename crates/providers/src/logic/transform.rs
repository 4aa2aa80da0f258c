//! `logic.transform`: returns its template evaluated; the form that earlier plans use for what `set` does now.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pure::Pure;

pub(super) struct Transform;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Text or any value with ${…} inside; the output is what it evaluates to.
    template: Value,
}

impl Pure for Transform {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            example: json!({"template": "Paid: 42"}),
            ..ActionSpec::of::<Params>("transform", "Transform", "Returns a template with its references filled in.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        Ok(params.template)
    }
}
