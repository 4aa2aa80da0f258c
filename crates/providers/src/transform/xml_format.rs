//! `transform.xml_format`: writes an object as XML, the way that `xml_parse` reads it.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use quick_xml::escape::escape;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::invalid_input;
use crate::logic::bounds::Weight;
use crate::logic::pure::Pure;

pub(super) struct XmlFormat;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An object with one field, the root element: fields are elements, a list is the element repeated, @name is an attribute, #text the
    /// text beside elements, null an empty element.
    value: Map<String, Value>,
    /// True: begin with <?xml version="1.0" encoding="UTF-8"?>.
    #[serde(default = "yes")]
    declaration: bool,
    /// True: a line for each element, two spaces deeper than the one around it.
    #[serde(default)]
    indent: bool,
}

fn yes() -> bool {
    true
}

impl Pure for XmlFormat {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"value": {"order": {"@id": 7, "item": ["pen", {"@n": 2, "#text": "cup & saucer"}], "note": null}}}),
            ..ActionSpec::of::<Params>("xml_format", "Write XML", "Writes an object as XML text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut writer = Writer { text: String::new(), weight: Weight::default(), counted: 0, indent: params.indent };
        if params.declaration {
            writer.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        }
        let mut fields = params.value.iter();
        match (fields.next(), fields.next()) {
            (Some((name, value)), None) if !value.is_array() => writer.element(name, value, 0)?,
            _ => return Err(Fault::invalid_params("\"value\" must be an object with one field that is no list: the root element")),
        }
        if params.indent {
            writer.text = writer.text.trim_start().to_owned() + "\n";
        }
        Ok(Value::String(writer.text))
    }
}

struct Writer {
    text: String,
    weight: Weight,
    counted: usize,
    indent: bool,
}

impl Writer {
    /// Values nest no deeper than expressions build them, so that recursion has an end.
    fn element(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), Fault> {
        if let Value::Array(values) = value {
            return values.iter().try_for_each(|value| self.element(name, value, depth));
        }
        named(name)?;
        self.line(depth);
        self.text.push('<');
        self.text.push_str(name);
        let fields = value.as_object();
        for (attribute, value) in fields.into_iter().flatten() {
            let Some(attribute) = attribute.strip_prefix('@') else { continue };
            named(attribute)?;
            self.text.push_str(&format!(" {attribute}=\"{}\"", scalar(attribute, value)?));
        }
        let is_element =
            |(name, value): &(&String, &Value)| !name.starts_with(['@', '#']) && value.as_array().is_none_or(|list| !list.is_empty());
        let inner: Vec<_> = fields.into_iter().flatten().filter(is_element).collect();
        let text = match fields {
            Some(fields) => fields.get("#text").map_or(Ok(String::new()), |text| scalar("#text", text))?,
            None => scalar(name, value)?,
        };
        if inner.is_empty() && text.is_empty() {
            self.text.push_str("/>");
        } else {
            self.text.push('>');
            self.text.push_str(&text);
            for (name, value) in &inner {
                self.element(name, value, depth + 1)?;
            }
            if !inner.is_empty() {
                self.line(depth);
            }
            self.text.push_str(&format!("</{name}>"));
        }
        let grown = self.text.len() - self.counted;
        self.counted = self.text.len();
        self.weight.add_bytes(grown)
    }

    fn line(&mut self, depth: usize) {
        if self.indent {
            self.text.push('\n');
            self.text.push_str(&"  ".repeat(depth));
        }
    }
}

fn scalar(name: &str, value: &Value) -> Result<String, Fault> {
    let text = match value {
        Value::Null => return Ok(String::new()),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(invalid_input(format!("\"{name}\" must be text, a number, true or false"))),
    };
    if let Some(letter) = text
        .chars()
        .find(|letter| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r') || matches!(letter, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(invalid_input(format!("\"{name}\" holds {letter:?}, which no XML can hold")));
    }
    Ok(escape(text).into_owned())
}

/// Names come from data too: one with a space or a > would write other elements than were meant.
fn named(name: &str) -> Result<(), Fault> {
    let begins = |letter: char| letter.is_alphabetic() || letter == '_';
    let goes_on = |letter: char| begins(letter) || letter.is_numeric() || matches!(letter, '-' | '.' | ':');
    if name.starts_with(begins) && name.chars().all(goes_on) && !name.ends_with(':') {
        return Ok(());
    }
    Err(invalid_input(format!("\"{name}\" is no name of an element or attribute")))
}
