//! One field of a form, from its JSON Schema.

use serde_json::Value;

use crate::plan::InputSpec;

/// Text that may be longer than this gets several lines.
const LONG: u64 = 200;
/// More choices than this are not shown side by side.
const MOST_CHOICES: usize = 500;

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub label: String,
    pub description: String,
    pub required: bool,
    pub default: Option<Value>,
    pub widget: Widget,
}

/// How a value is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Widget {
    /// One line: the `type` of its input, and the attributes that bound it.
    Line {
        kind: &'static str,
        attributes: Vec<(&'static str, String)>,
    },
    /// Several lines.
    Text {
        most: Option<u64>,
    },
    Number {
        whole: bool,
        least: Option<String>,
        most: Option<String>,
    },
    Checkbox,
    /// One of these values.
    Select(Vec<Value>),
    /// Any of these values.
    Several(Vec<Value>),
    /// A list of texts, one a line.
    Lines,
    /// A file, or several: objects with `format: file`.
    File {
        several: bool,
    },
    /// Anything else, as JSON.
    Json,
}

/// The fields of declared inputs, in their order.
pub fn fields(spec: &InputSpec) -> Vec<Field> {
    let Some(schema) = &spec.schema else { return Vec::new() };
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
    let properties = schema["properties"].as_object();
    let one = |(name, schema): (&String, &Value)| Field {
        name: name.clone(),
        label: schema["title"].as_str().map_or_else(|| spoken(name), str::to_owned),
        description: schema["description"].as_str().unwrap_or_default().to_owned(),
        required: is_required(name),
        default: schema.get("default").cloned(),
        widget: widget(schema),
    };
    properties.into_iter().flatten().map(one).collect()
}

fn widget(schema: &Value) -> Widget {
    if let Some(choices) = choices(schema) {
        return Widget::Select(choices);
    }
    let number = |name: &str| schema[name].as_number().map(ToString::to_string);
    match schema["type"].as_str() {
        Some("boolean") => Widget::Checkbox,
        Some(kind @ ("integer" | "number")) => {
            Widget::Number { whole: kind == "integer", least: number("minimum"), most: number("maximum") }
        }
        Some("string") => text(schema),
        Some("object") if schema["format"] == "file" => Widget::File { several: false },
        Some("array") if schema["items"]["format"] == "file" => Widget::File { several: true },
        Some("array") => match (choices(&schema["items"]), schema["items"]["type"].as_str()) {
            (Some(choices), _) => Widget::Several(choices),
            (None, Some("string")) => Widget::Lines,
            _ => Widget::Json,
        },
        // Whatever is typed is a text; what is declared without a type takes it.
        None if schema.as_object().is_none_or(|schema| !schema.keys().any(|word| SHAPES.contains(&word.as_str()))) => text(schema),
        _ => Widget::Json,
    }
}

const SHAPES: [&str; 6] = ["properties", "items", "anyOf", "oneOf", "allOf", "const"];

fn text(schema: &Value) -> Widget {
    let (least, most) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
    let format = schema["format"].as_str().unwrap_or_default();
    let kind = match format {
        "date" => "date",
        "date-time" => "datetime-local",
        "time" => "time",
        "email" => "email",
        "uri" | "url" => "url",
        "textarea" | "long" | "markdown" => return Widget::Text { most },
        _ if most.is_some_and(|most| most > LONG) => return Widget::Text { most },
        _ => "text",
    };
    let bounds = [("minlength", least), ("maxlength", most)];
    Widget::Line { kind, attributes: bounds.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))).collect() }
}

fn choices(schema: &Value) -> Option<Vec<Value>> {
    let choices = schema["enum"].as_array().filter(|choices| !choices.is_empty() && choices.len() <= MOST_CHOICES)?;
    Some(choices.clone())
}

/// `delivery_date` as a person would say it.
fn spoken(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    letters.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase().chain(letters).collect())
}
