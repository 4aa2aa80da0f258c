//! `transform.html_select`: takes data out of a page by CSS selectors.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::html_selector::Selector;
use super::html_text::text;
use super::html_tree::Tree;
use crate::apart::Bounded;
use crate::logic::bounds::{Weight, within_items};

pub(super) struct HtmlSelect;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The page, or a part of one.
    html: String,
    /// Which elements: table.prices tr:not(:first-child), a[href^="https:"]. Names, #id, .class, [attribute], the four combinators,
    /// :nth-child and its kin, :first-child, :empty, :not() and :is().
    #[schemars(length(min = 1, max = 2000))]
    selector: String,
    /// What to take of each: "text", "html", or "@" and the name of an attribute.
    #[serde(default = "of_text")]
    take: String,
    /// Name → what to look for inside of each element: a selector, with "@" and an attribute or "html" behind it when not its text is
    /// wanted: {title: "h2", link: "a @href"}. Then each element becomes an object; a part that is not there is null.
    #[serde(default)]
    fields: Map<String, Value>,
    /// False: only the first element, null when there is none.
    #[serde(default = "yes")]
    all: bool,
}

fn of_text() -> String {
    "text".to_owned()
}

fn yes() -> bool {
    true
}

const LONGEST: usize = 2_000;

enum Take {
    Text,
    Html,
    Attribute(String),
}

impl Take {
    fn parse(written: &str) -> Option<Take> {
        match written {
            "text" => Some(Take::Text),
            "html" => Some(Take::Html),
            _ => written.strip_prefix('@').filter(|name| !name.is_empty()).map(|name| Take::Attribute(name.to_ascii_lowercase())),
        }
    }

    fn of(&self, tree: &Tree, node: usize) -> Value {
        match self {
            Take::Text => Value::String(text(tree, node)),
            Take::Html => Value::String(tree.html(node)),
            Take::Attribute(name) => tree.nodes[node].attribute(name).map_or(Value::Null, Value::from),
        }
    }
}

struct Field {
    name: String,
    /// `None`: the element itself.
    selector: Option<Selector>,
    take: Take,
}

impl Bounded for HtmlSelect {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": ["array", "object", "string", "null"]})),
            example: json!({
                "html": "<ul><li><a href=\"/1\">Pen</a> <b>2 €</b></li><li><a href=\"/2\">Cup</a></li></ul>",
                "selector": "li", "fields": {"name": "a", "link": "a @href", "price": "b"},
            }),
            ..ActionSpec::of::<Params>(
                "html_select",
                "Select from HTML",
                "Takes text, attributes or whole records out of a page by CSS selectors.",
            )
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let selector = selector("selector", &params.selector)?;
        let take = Take::parse(&params.take)
            .ok_or_else(|| Fault::invalid_params(format!("\"take\" is \"{}\"; write text, html or @ and an attribute", params.take)))?;
        let fields = params.fields.iter().map(|(name, written)| field(name, written)).collect::<Result<Vec<_>, _>>()?;
        let tree = Tree::parse(&params.html);
        let mut weight = Weight::default();
        let mut found = Vec::new();
        for node in (0..tree.nodes.len()).filter(|node| selector.matches(&tree, *node)) {
            let value = if fields.is_empty() { take.of(&tree, node) } else { record(&tree, node, &fields) };
            if !params.all {
                return Ok(value);
            }
            weight.add(&value)?;
            within_items("the list of elements", found.len() + 1)?;
            found.push(value);
        }
        Ok(if params.all { Value::Array(found) } else { Value::Null })
    }
}

fn record(tree: &Tree, node: usize, fields: &[Field]) -> Value {
    // Nodes stand in the order of the document, so that those inside of one follow it.
    let inside = || (node + 1..tree.nodes.len()).take_while(|other| tree.within(*other, node));
    let value = |field: &Field| {
        let found = match &field.selector {
            None => Some(node),
            Some(selector) => inside().find(|other| selector.matches(tree, *other)),
        };
        (field.name.clone(), found.map_or(Value::Null, |node| field.take.of(tree, node)))
    };
    Value::Object(fields.iter().map(value).collect())
}

fn field(name: &str, written: &Value) -> Result<Field, Fault> {
    let at = format!("fields.{name}");
    let Value::String(written) = written else {
        return Err(Fault::invalid_params(format!("\"{at}\" must be text such as \"a @href\"")));
    };
    let written = written.trim();
    let (before, last) = written.rsplit_once(' ').unwrap_or(("", written));
    // What is taken stands behind the last space, or alone for an attribute of the element itself; a lone "html" is a selector.
    let take = Take::parse(last).filter(|take| match take {
        Take::Attribute(_) => true,
        Take::Html => !before.is_empty(),
        Take::Text => false,
    });
    let (path, take) = match take {
        Some(take) => (before.trim(), take),
        None => (written, Take::Text),
    };
    let selector = if path.is_empty() { None } else { Some(selector(&at, path)?) };
    Ok(Field { name: name.to_owned(), selector, take })
}

fn selector(name: &str, written: &str) -> Result<Selector, Fault> {
    if written.len() > LONGEST {
        return Err(Fault::invalid_params(format!("\"{name}\" is longer than {LONGEST} bytes")));
    }
    Selector::parse(written).map_err(|error| Fault::invalid_params(format!("\"{name}\" is no selector: {error}")))
}
