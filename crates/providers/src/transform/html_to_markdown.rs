//! `transform.html_to_markdown`: a page as Markdown, which people and language models read more easily.

use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, Options};
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::apart::Bounded;

pub(super) struct ToMarkdown;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The page, or a part of one.
    html: String,
}

/// Not shown by a browser either.
const HIDDEN: [&str; 8] = ["script", "style", "head", "template", "noscript", "iframe", "object", "svg"];

impl Bounded for ToMarkdown {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"html": "<h1>News</h1><p>Two <b>new</b> trains, see <a href=\"https://rail.example/\">the plan</a>.</p><ul><li>Oslo</li></ul>"}),
            ..ActionSpec::of::<Params>("html_to_markdown", "HTML to Markdown", "Turns a page into Markdown.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let options =
            Options { bullet_list_marker: BulletListMarker::Dash, ul_bullet_spacing: 1, ol_number_spacing: 1, ..Options::default() };
        let converter = HtmlToMarkdown::builder().options(options).skip_tags(HIDDEN.to_vec()).build();
        converter.convert(&params.html).map(Value::String).map_err(|error| invalid_input(format!("the page cannot be read: {error}")))
    }
}
