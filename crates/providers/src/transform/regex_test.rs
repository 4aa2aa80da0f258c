//! `transform.regex_test`: whether a pattern is found in text, in time linear in the text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::regex_pattern::compile;
use crate::logic::pure::Pure;

pub(super) struct RegexTest;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// A regular expression, without slashes; (?i) at its start ignores case, ^ and $ bind it to the whole text.
    #[schemars(length(min = 1, max = 4096))]
    pattern: String,
}

impl Pure for RegexTest {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "boolean"})),
            example: json!({"text": "ada@example.com", "pattern": "^[^@\\s]+@[^@\\s]+$"}),
            ..ActionSpec::of::<Params>("regex_test", "Test by pattern", "Says whether a regular expression is found in text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        Ok(Value::Bool(compile(&params.pattern)?.is_match(&params.text)))
    }
}
