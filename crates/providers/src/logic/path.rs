//! A plain path to a field of an item: `a.b[0].c`, or `a["a name"]`; what is missing on the way is null.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::bounds::kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// A key of an object; digits also an index of a list.
    Name(String),
    Index(usize),
}

impl Path {
    /// Reads a path; the message says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Path, String> {
        let fail = |what: &str| format!("\"{text}\" is not a path such as customer.emails[0]: {what}");
        let mut parts = Vec::new();
        let mut rest = text;
        // Whether a name has to follow: at the start, and after a dot.
        let mut name_due = true;
        while name_due || !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                if name_due && !parts.is_empty() {
                    return Err(fail("a part is empty"));
                }
                let (part, after) = bracket(inner).map_err(fail)?;
                parts.push(part);
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if !name_due {
                    return Err(fail("\".\" or \"[\" must follow \"]\""));
                }
                if end == 0 {
                    return Err(fail("a part is empty"));
                }
                parts.push(Part::Name(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            name_due = false;
            if let Some(after) = rest.strip_prefix('.') {
                rest = after;
                name_due = true;
            }
        }
        Ok(Path { text: text.to_owned(), parts })
    }

    /// The value there; `None` when any part is missing.
    pub(crate) fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.parts.iter().try_fold(value, |value, part| match (part, value) {
            (Part::Name(name), Value::Object(fields)) => fields.get(name),
            (Part::Name(name), Value::Array(items)) => items.get(name.parse::<usize>().ok()?),
            (Part::Index(index), Value::Array(items)) => items.get(*index),
            _ => None,
        })
    }

    /// The value there, or null.
    pub(crate) fn get_or_null<'a>(&self, value: &'a Value) -> &'a Value {
        self.get(value).unwrap_or(&Value::Null)
    }

    /// Takes the field away; nothing happens when it is not there. An item of a list becomes null, so that others stay in place.
    pub(crate) fn remove(&self, value: &mut Value) {
        let Some((last, way)) = self.parts.split_last() else { return };
        let holder = way.iter().try_fold(value, |value, part| match (part, value) {
            (Part::Name(name), Value::Object(fields)) => fields.get_mut(name),
            (Part::Name(name), Value::Array(items)) => items.get_mut(name.parse::<usize>().ok()?),
            (Part::Index(index), Value::Array(items)) => items.get_mut(*index),
            _ => None,
        });
        match (last, holder) {
            (Part::Name(name), Some(Value::Object(fields))) => {
                fields.shift_remove(name);
            }
            (Part::Index(index), Some(Value::Array(items))) => {
                if let Some(item) = items.get_mut(*index) {
                    *item = Value::Null;
                }
            }
            _ => {}
        }
    }

    /// The last name on the path, which names a column made from it.
    pub(crate) fn name(&self) -> &str {
        let names = self.parts.iter().rev().filter_map(|part| if let Part::Name(name) = part { Some(name) } else { None });
        names.map(String::as_str).next().unwrap_or(&self.text)
    }
}

/// What stands in brackets, and the text after them.
fn bracket(inner: &str) -> Result<(Part, &str), &'static str> {
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (name, after) = inner[1..].split_once(quote).ok_or("a quote is not closed")?;
        let after = after.strip_prefix(']').ok_or("\"]\" is missing")?;
        return Ok((Part::Name(name.to_owned()), after));
    }
    let (index, after) = inner.split_once(']').ok_or("\"]\" is missing")?;
    let index = index.parse().map_err(|_| "an index must be a whole number from 0")?;
    Ok((Part::Index(index), after))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Path, D::Error> {
        Path::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Path {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

/// What items are told apart by: one path, whose value is the key, or several, whose values make an object.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    One(Path),
    Several(Vec<Path>),
}

impl Keys {
    /// The key of an item: the value itself, or an object with a field per path, named by its last part.
    pub(crate) fn of(&self, item: &Value) -> Value {
        match self {
            Keys::One(path) => path.get_or_null(item).clone(),
            Keys::Several(_) => Value::Object(self.columns(item)),
        }
    }

    /// A field per path.
    pub(crate) fn columns(&self, item: &Value) -> Map<String, Value> {
        self.paths().iter().map(|path| (path.name().to_owned(), path.get_or_null(item).clone())).collect()
    }

    pub(crate) fn paths(&self) -> &[Path] {
        match self {
            Keys::One(path) => std::slice::from_ref(path),
            Keys::Several(paths) => paths,
        }
    }
}

impl<'de> Deserialize<'de> for Keys {
    // Not `untagged`, whose error would only say that no variant fits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Path::parse(&text).map(Keys::One).map_err(D::Error::custom),
            Value::Array(list) if !list.is_empty() => {
                let paths = serde_json::from_value::<Vec<Path>>(Value::Array(list)).map_err(D::Error::custom)?;
                let twice = paths.iter().enumerate().find(|(i, path)| paths[..*i].iter().any(|other| other.name() == path.name()));
                match twice {
                    Some((_, path)) => Err(D::Error::custom(format!("two paths end in \"{}\"", path.name()))),
                    None => Ok(Keys::Several(paths)),
                }
            }
            Value::Array(_) => Err(D::Error::custom("the list of paths is empty")),
            other => Err(D::Error::custom(format!("a path or a list of paths is needed; this is {}", kind(&other)))),
        }
    }
}

impl JsonSchema for Keys {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Keys".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = Path::json_schema(generator);
        json_schema!({"anyOf": [path, {"type": "array", "items": path, "minItems": 1}]})
    }
}
