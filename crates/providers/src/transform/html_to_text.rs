//! `transform.html_to_text`: what a person reads of a page.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::html_text::text;
use super::html_tree::Tree;
use crate::apart::Bounded;

pub(super) struct HtmlToText;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The page, or a part of one.
    html: String,
}

impl Bounded for HtmlToText {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"html": "<h1>News</h1><p>Two <b>new</b>\n trains:</p><ul><li>Oslo</li><li>Bergen</li></ul><script>x()</script>"}),
            ..ActionSpec::of::<Params>("html_to_text", "HTML to text", "Gives what a person reads of a page, as plain text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let tree = Tree::parse(&params.html);
        Ok(Value::String(text(&tree, 0)))
    }
}
