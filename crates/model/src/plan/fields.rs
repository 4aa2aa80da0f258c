//! Takes an object's fields one by one, with a problem for each that is of the wrong type or unknown.

use serde_json::{Map, Value};

use super::code;
use super::names::Noun;
use super::near::{nearest, shown};
use super::problems::Problems;
use crate::Problem;
use crate::value::{pointer_join, preview, type_name};

/// An object of the document while it is read.
pub(crate) struct Fields<'v> {
    pub noun: Noun,
    pub map: &'v Map<String, Value>,
    pub pointer: String,
}

impl<'v> Fields<'v> {
    /// The object at `pointer`; a problem when it is none.
    pub(crate) fn of(noun: Noun, value: &'v Value, pointer: &str, problems: &mut Problems<'_>) -> Option<Fields<'v>> {
        match value {
            Value::Object(map) => Some(Fields { noun, map, pointer: pointer.to_owned() }),
            other => {
                problems.push(wrong_type(pointer, &format!("{} is an object", noun.text()), "an object", other));
                None
            }
        }
    }

    pub(crate) fn at(&self, name: &str) -> String {
        pointer_join(&self.pointer, name)
    }

    /// A field that was written and is not null. Clients that send every field send null for what they leave out.
    pub(crate) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// As [`Fields::get`], for fields whose silent absence would change what runs: null is a problem.
    pub(crate) fn filled(&self, name: &str, problems: &mut Problems<'_>) -> Option<&'v Value> {
        let value = self.map.get(name)?;
        if value.is_null() {
            problems.push_key(Problem::new(code::WRONG_TYPE, self.at(name), format!("\"{name}\" is empty; write its value or remove it")));
            return None;
        }
        Some(value)
    }

    pub(crate) fn text(&self, name: &str, problems: &mut Problems<'_>) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => {
                let problem = wrong_type(&self.at(name), &format!("\"{name}\" is text"), "text", other);
                let scalar = matches!(other, Value::Number(_) | Value::Bool(_));
                problems.push(if scalar { problem.fix(format!("\"{other}\"")) } else { problem });
                None
            }
        }
    }

    pub(crate) fn boolean(&self, name: &str, problems: &mut Problems<'_>) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            other => {
                problems.push(wrong_type(&self.at(name), &format!("\"{name}\" is true or false"), "true or false", other));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&self, name: &str, least: u32, most: u32, problems: &mut Problems<'_>) -> Option<u32> {
        let value = self.get(name)?;
        let bounds = format!("a whole number from {least} to {most}");
        if !value.is_number() {
            problems.push(wrong_type(&self.at(name), &format!("\"{name}\" is {bounds}"), &bounds, value));
            return None;
        }
        let found = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| (least..=most).contains(number));
        if found.is_none() {
            problems
                .push(Problem::new(code::INVALID_VALUE, self.at(name), format!("\"{name}\" is {bounds}, not {value}")).expected(bounds));
        }
        found
    }

    /// A number within bounds.
    pub(crate) fn number(&self, name: &str, least: f64, most: f64, problems: &mut Problems<'_>) -> Option<f64> {
        let value = self.get(name)?;
        let bounds = format!("a number from {least} to {most}");
        let Some(number) = value.as_f64() else {
            problems.push(wrong_type(&self.at(name), &format!("\"{name}\" is {bounds}"), &bounds, value));
            return None;
        };
        if (least..=most).contains(&number) {
            return Some(number);
        }
        problems.push(Problem::new(code::INVALID_VALUE, self.at(name), format!("\"{name}\" is {bounds}, not {value}")).expected(bounds));
        None
    }

    pub(crate) fn object(&self, name: &str, problems: &mut Problems<'_>) -> Option<&'v Map<String, Value>> {
        match self.get(name)? {
            Value::Object(map) => Some(map),
            other => {
                problems.push(wrong_type(&self.at(name), &format!("\"{name}\" is an object"), "an object", other));
                None
            }
        }
    }

    pub(crate) fn list(&self, name: &str, problems: &mut Problems<'_>) -> Option<&'v Vec<Value>> {
        match self.filled(name, problems)? {
            Value::Array(items) => Some(items),
            other => {
                let problem = wrong_type(&self.at(name), &format!("\"{name}\" is a list"), "a list", other);
                problems.push(if let Value::String(text) = other { problem.fix(format!("[{text}]")) } else { problem });
                None
            }
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str, problems: &mut Problems<'_>) -> Option<Vec<String>> {
        let items = self.list(name, problems)?;
        let mut texts = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.clone()),
                other => problems.push(wrong_type(
                    &format!("{}/{place}", self.at(name)),
                    &format!("\"{name}\" is a list of texts"),
                    "text",
                    other,
                )),
            }
        }
        Some(texts)
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], problems: &mut Problems<'_>) -> Option<T> {
        let text = self.text(name, problems)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        problems.push(unknown_word(&self.at(name), &format!("\"{name}\""), &text, words.iter().map(|(word, _)| *word)));
        None
    }

    /// Problems for all fields that are not among `known`.
    pub(crate) fn refuse_unknown(&self, known: &[&str], problems: &mut Problems<'_>) {
        for name in self.map.keys().filter(|name| !known.contains(&name.as_str())) {
            if problems.is_full() {
                return;
            }
            problems.push_key(self.unknown(name, known));
        }
    }

    fn unknown(&self, name: &str, known: &[&str]) -> Problem {
        let (noun, pointer) = (self.noun.text(), self.at(name));
        if let Some(what) = self.noun.later(name) {
            return Problem::new(code::NOT_YET_SUPPORTED, pointer, format!("\"{name}\" is not yet known: {what} arrives later"));
        }
        let problem = Problem::new(code::UNKNOWN_FIELD, pointer, String::new()).expected(known.join(", "));
        if let Some(foreign) = self.noun.foreign(name).filter(|foreign| foreign.ours.is_empty() || known.contains(&foreign.ours)) {
            let mut message = format!("{noun} has no field \"{name}\"");
            if !foreign.ours.is_empty() {
                message.push_str(&format!("; here it is called \"{}\"", foreign.ours));
            }
            if !foreign.advice.is_empty() {
                message.push_str(&format!("; {}", foreign.advice));
            }
            let problem = Problem { message, ..problem };
            return if foreign.ours.is_empty() { problem } else { problem.fix(foreign.ours) };
        }
        match nearest(name, known.iter().copied()) {
            Some(near) => Problem { message: format!("{noun} has no field \"{name}\"; did you mean \"{near}\"?"), ..problem }.fix(near),
            None if name == "<<" => {
                Problem { message: "merge keys (<<) are not part of YAML 1.2; write the fields out".to_owned(), ..problem }
            }
            None => Problem { message: format!("{noun} has no field \"{}\"", shown(name)), ..problem },
        }
    }
}

/// A value of the wrong type: `what` says what the field is.
pub(crate) fn wrong_type(pointer: &str, what: &str, expected: &str, found: &Value) -> Problem {
    let shown = match found {
        Value::Null => "null".to_owned(),
        Value::Array(_) | Value::Object(_) => format!("{} {}", article(found), type_name(found)),
        other => format!("the {} {}", type_name(other), preview_quoted(other)),
    };
    Problem::new(code::WRONG_TYPE, pointer, format!("{what}, but this is {shown}")).expected(expected)
}

fn article(value: &Value) -> &'static str {
    if value.is_object() { "an" } else { "a" }
}

/// A value as one short line; text in quotes.
pub(crate) fn preview_quoted(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 60 => format!("\"{text}\""),
        Value::String(text) => format!("\"{}…\"", text.chars().take(60).collect::<String>()),
        other => preview(other, 60),
    }
}

/// A word that is not among those known.
pub(crate) fn unknown_word<'w>(pointer: &str, what: &str, given: &str, words: impl Iterator<Item = &'w str> + Clone) -> Problem {
    let list: Vec<&str> = words.clone().collect();
    let shown: String = given.chars().take(60).collect();
    let problem =
        Problem::new(code::INVALID_VALUE, pointer, format!("{what} is {}, not \"{shown}\"", one_of(&list))).expected(list.join(", "));
    match nearest(given, words) {
        Some(near) => problem.fix(near),
        None => problem,
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
