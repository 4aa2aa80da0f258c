//! `transform.lines`: the lines of text as a list.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::split_text::texts;
use crate::logic::pure::Pure;

pub(super) struct Lines;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text; lines end in LF or CR LF.
    text: String,
    /// True: empty lines stay in the list.
    #[serde(default)]
    keep_empty: bool,
}

impl Pure for Lines {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": "string"}})),
            example: json!({"text": "first\r\n\nsecond\n"}),
            ..ActionSpec::of::<Params>("lines", "Lines", "Makes a list of the lines of text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let lines = params.text.lines().filter(|line| params.keep_empty || !line.trim().is_empty());
        texts("the list of lines", lines)
    }
}
