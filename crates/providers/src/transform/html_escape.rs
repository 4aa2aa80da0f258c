//! `transform.html_escape`: makes text safe to stand in HTML, in content and in quoted attributes.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::pure::Pure;

pub(super) struct HtmlEscape;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
}

impl Pure for HtmlEscape {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "Tom & <Jerry>"}),
            ..ActionSpec::of::<Params>("html_escape", "Escape HTML", "Makes text safe to put into HTML, such as a mail.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut escaped = String::with_capacity(params.text.len());
        for c in params.text.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
        }
        Ok(Value::String(escaped))
    }
}
