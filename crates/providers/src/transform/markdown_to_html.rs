//! `transform.markdown_to_html`: Markdown as HTML that can be shown: HTML written in it is shown as text, and links lead where links may.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apart::Bounded;

pub(super) struct MarkdownToHtml;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The Markdown: CommonMark with tables, task lists and strikethrough.
    markdown: String,
}

/// What a link or an image may begin with; beside these only addresses without a scheme.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

impl Bounded for MarkdownToHtml {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"markdown": "# News\n\nTwo **new** trains & a [plan](https://rail.example/).\n\n<script>x()</script>"}),
            ..ActionSpec::of::<Params>("markdown_to_html", "Markdown to HTML", "Turns Markdown into HTML that is safe to show.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let events = Parser::new_ext(&params.markdown, options).map(|event| match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                Event::Start(Tag::Link { link_type, dest_url: harmless(dest_url), title, id })
            }
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                Event::Start(Tag::Image { link_type, dest_url: harmless(dest_url), title, id })
            }
            other => other,
        });
        let mut text = String::new();
        html::push_html(&mut text, events);
        Ok(Value::String(text))
    }
}

/// The address, or `#` when it would do something else than lead somewhere.
fn harmless(url: CowStr<'_>) -> CowStr<'_> {
    // Browsers pass over these when they look for the scheme.
    let seen: String = url.chars().filter(|letter| !letter.is_whitespace() && !letter.is_control()).collect();
    let scheme = seen.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains(['/', '?', '#']));
    match scheme {
        Some(scheme) if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) => CowStr::Borrowed("#"),
        _ => url,
    }
}
