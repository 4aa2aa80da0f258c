//! What somebody typed into a form, as it came and as the values that it means.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::field::{Field, Widget};

/// What was typed: by field, so that it can be shown again; and the files that came with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Typed {
    texts: HashMap<String, Vec<String>>,
    files: HashMap<String, Vec<Value>>,
}

impl Typed {
    /// From the pairs of a sent form.
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Typed {
        let mut typed = Typed::default();
        pairs.into_iter().for_each(|(name, value)| typed.add(name, value));
        typed
    }

    pub fn add(&mut self, name: String, value: String) {
        self.texts.entry(name).or_default().push(value);
    }

    /// A file that is kept. Texts never become one, whatever they say.
    pub fn add_file(&mut self, name: String, file: Value) {
        self.files.entry(name).or_default().push(file);
    }

    /// Names of the fields that files came for.
    pub fn with_files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A fresh form: the defaults.
    pub fn defaults(fields: &[Field]) -> Typed {
        let shown = fields.iter().filter_map(|field| Some((field.name.clone(), written(field, field.default.as_ref()?))));
        Typed { texts: shown.collect(), files: HashMap::new() }
    }

    pub fn first(&self, name: &str) -> &str {
        self.texts.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    pub fn has(&self, name: &str, value: &str) -> bool {
        self.texts.get(name).is_some_and(|values| values.iter().any(|other| other == value))
    }
}

/// A value as it stands in its widget.
fn written(field: &Field, value: &Value) -> Vec<String> {
    match (&field.widget, value) {
        (Widget::Checkbox, Value::Bool(true)) => vec!["true".to_owned()],
        (Widget::Checkbox | Widget::File { .. }, _) => Vec::new(),
        (Widget::Several(_), Value::Array(values)) => values.iter().map(plain).collect(),
        (Widget::Lines, Value::Array(values)) => vec![values.iter().map(plain).collect::<Vec<_>>().join("\n")],
        (Widget::Json, value) => vec![serde_json::to_string_pretty(value).unwrap_or_default()],
        // The widget shows a moment without its zone, which is UTC.
        (Widget::Line { kind: "datetime-local", .. }, Value::String(text)) => vec![text.trim_end_matches('Z').to_owned()],
        (_, value) => vec![plain(value)],
    }
}

/// A choice as it is sent.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The values that were meant. What cannot be read stays text, so that the check of the inputs says what is wrong with it.
pub fn read(fields: &[Field], typed: &Typed) -> Map<String, Value> {
    let mut values = Map::new();
    for field in fields {
        if let Some(value) = value(field, typed) {
            values.insert(field.name.clone(), value);
        }
    }
    values
}

fn value(field: &Field, typed: &Typed) -> Option<Value> {
    let text = typed.first(&field.name).trim();
    let chosen = |choices: &[Value], text: &str| choices.iter().find(|choice| plain(choice) == text).cloned();
    match &field.widget {
        Widget::Checkbox => Some(Value::Bool(!text.is_empty())),
        Widget::Several(choices) => {
            let given = typed.texts.get(&field.name).map(Vec::as_slice).unwrap_or_default();
            let list: Vec<Value> = given.iter().map(|text| chosen(choices, text).unwrap_or_else(|| Value::String(text.clone()))).collect();
            (!list.is_empty() || field.required).then_some(Value::Array(list))
        }
        Widget::File { several: true } => {
            let files = typed.files.get(&field.name).cloned().unwrap_or_default();
            (!files.is_empty()).then_some(Value::Array(files))
        }
        Widget::File { several: false } => typed.files.get(&field.name)?.first().cloned(),
        _ if text.is_empty() => None,
        Widget::Select(choices) => Some(chosen(choices, text).unwrap_or_else(|| Value::String(text.to_owned()))),
        Widget::Number { .. } => Some(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)),
        Widget::Lines => Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Value::from).collect()),
        Widget::Json => Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))),
        Widget::Line { kind: "datetime-local", .. } => Some(Value::String(moment(text))),
        // Browsers send line ends as two characters.
        Widget::Line { .. } | Widget::Text { .. } => Some(Value::String(text.replace("\r\n", "\n"))),
    }
}

fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
    }
}

/// `2026-01-31T09:30` as the moment that it is in UTC; anything else as it is.
fn moment(text: &str) -> String {
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    match shape.as_str() {
        "0000-00-00T00:00" => format!("{text}:00Z"),
        "0000-00-00T00:00:00" => format!("{text}Z"),
        _ => text.to_owned(),
    }
}
