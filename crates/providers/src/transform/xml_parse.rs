//! `transform.xml_parse`: reads XML as objects. Without entities of its own, which is what its bombs and leaks are made of.

use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::invalid_input;
use crate::apart::Bounded;
use crate::logic::bounds::Weight;

pub(super) struct XmlParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The XML text. A document type of its own with entities is refused.
    text: String,
    /// Names of elements that are always a list, also when there is one: ["item"].
    #[serde(default)]
    lists: Vec<String>,
    /// True: names lose their prefix, so that soap:Body is Body.
    #[serde(default)]
    drop_prefixes: bool,
}

/// As deep as documents of people go, and far from where values stop.
const DEEPEST: usize = 100;

impl Bounded for XmlParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "object"})),
            example: json!({"text": "<order id=\"7\"><item>pen</item><item n=\"2\">cup</item><note/></order>"}),
            ..ActionSpec::of::<Params>(
                "xml_parse",
                "Read XML",
                "Reads XML as an object: elements by name, attributes as @name, text beside them as #text, repeated elements as a list.",
            )
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut reader = Reader::from_str(params.text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        let mut tree = Tree { params: &params, open: vec![Element::default()], weight: Weight::default() };
        loop {
            // Where it begins: errors tell the line.
            let at = reader.buffer_position();
            let refuse = |what: String| {
                let before = params.text.as_bytes().get(..usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or(params.text.as_bytes());
                invalid_input(format!("line {}: {what}", before.iter().filter(|byte| **byte == b'\n').count() + 1))
            };
            match reader.read_event().map_err(|error| refuse(error.to_string()))? {
                Event::Start(start) => tree.start(&start).map_err(|problem| problem.told(refuse))?,
                Event::End(_) => tree.end(),
                Event::Text(text) => tree.text(&text.xml10_content())?,
                Event::CData(text) => tree.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let letter = resolved(&reference).ok_or_else(|| refuse(format!("&{};: entities are not resolved", &*reference)))?;
                    tree.text(letter.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(kind) if kind.contains('[') || kind.contains("ENTITY") => {
                    return Err(refuse("a document type with declarations of its own is not read".to_owned()));
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if tree.open.len() > 1 {
            return Err(invalid_input(format!(
                "the text ends inside of <{}>",
                tree.open.last().map(|open| &*open.name).unwrap_or_default()
            )));
        }
        let root = tree.open.pop().unwrap_or_default();
        if !root.text.trim().is_empty() {
            return Err(invalid_input("there is text outside of the root element"));
        }
        if root.fields.len() != 1
            || root.fields.values().any(Value::is_array) && !root.fields.keys().all(|name| params.lists.contains(name))
        {
            return Err(invalid_input("the text has not one root element"));
        }
        Ok(Value::Object(root.fields))
    }
}

/// The five names that XML has by itself, and numbers of characters.
fn resolved(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

#[derive(Default)]
struct Element {
    name: String,
    fields: Map<String, Value>,
    text: String,
}

struct Tree<'p> {
    params: &'p Params,
    /// The elements that are open, the document itself first.
    open: Vec<Element>,
    weight: Weight,
}

enum Problem {
    Text(String),
    Fault(Fault),
}

impl Problem {
    fn told(self, refuse: impl Fn(String) -> Fault) -> Fault {
        match self {
            Problem::Text(text) => refuse(text),
            Problem::Fault(fault) => fault,
        }
    }
}

impl Tree<'_> {
    fn name(&self, written: &str) -> String {
        let name = if self.params.drop_prefixes { written.rsplit(':').next().unwrap_or(written) } else { written };
        name.to_owned()
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Problem> {
        if self.open.len() > DEEPEST {
            let message = format!("the document nests deeper than {DEEPEST} elements");
            return Err(Problem::Fault(Fault::new(Code::LIMIT_EXCEEDED, message)));
        }
        let mut element = Element { name: self.name(start.name().into_inner()), ..Element::default() };
        self.weight.add_bytes(element.name.len() + 8).map_err(Problem::Fault)?;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| Problem::Text(error.to_string()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| Problem::Text(error.to_string()))?;
            let written = attribute.key.into_inner();
            if self.params.drop_prefixes && (written == "xmlns" || written.starts_with("xmlns:")) {
                continue;
            }
            let name = format!("@{}", self.name(written));
            self.weight.add_bytes(name.len() + value.len() + 8).map_err(Problem::Fault)?;
            element.fields.insert(name, Value::String(value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.weight.add_bytes(text.len())?;
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
        Ok(())
    }

    /// The reader has compared the names of start and end.
    fn end(&mut self) {
        let (Some(element), Some(parent)) = (self.open.pop(), self.open.last_mut()) else { return };
        let text = element.text.trim();
        let value = match (element.fields.is_empty(), text.is_empty()) {
            (true, true) => Value::Null,
            (true, false) => Value::from(text),
            (false, empty) => {
                let mut fields = element.fields;
                if !empty {
                    fields.insert("#text".to_owned(), Value::from(text));
                }
                Value::Object(fields)
            }
        };
        match parent.fields.get_mut(&element.name) {
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = json!([one.take(), value]),
            None if self.params.lists.contains(&element.name) => drop(parent.fields.insert(element.name, json!([value]))),
            None => drop(parent.fields.insert(element.name, value)),
        }
    }
}
