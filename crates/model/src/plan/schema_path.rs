//! Walks a path through a JSON Schema, to find a field that is known not to exist.

use serde_json::{Map, Value};

use crate::expr::PathPart;

/// How an object with `properties` and without `additionalProperties` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// As JSON Schema says: there may be more. For schemas of a plan's author.
    AsWritten,
    /// Those are all. For outputs: an action that knows only some of its fields says `additionalProperties: true`.
    AsClosed,
}

/// A part of a path that is not there.
pub(crate) struct Missing {
    /// The path up to it, `.a[0]`.
    pub walked: String,
    pub part: String,
    /// What is there instead.
    pub there: Vec<String>,
}

/// How many `$ref`s, and how many schemas in each other, are followed.
const MAX_STEPS: usize = 64;

/// The first part of `path` that no value of the schema has; `None` when the whole path may exist.
pub(crate) fn missing(schema: &Value, path: &[PathPart], open: Open) -> Option<Missing> {
    let mut walk = Walk { root: schema, open, budget: 1_000 };
    let mut walked = String::new();
    let mut at = vec![schema];
    for part in path {
        let mut next = Vec::new();
        let mut there = Vec::new();
        let mut perhaps = false;
        for schema in &at {
            perhaps |= walk.enter(schema, part, &mut next, &mut there, 0);
        }
        if perhaps {
            return None;
        }
        if next.is_empty() {
            there.dedup();
            return Some(Missing { walked, part: part_name(part), there });
        }
        walked.push_str(&part_text(part));
        at = next;
    }
    None
}

/// `.key` or `[0]`.
pub(crate) fn part_text(part: &PathPart) -> String {
    match part {
        PathPart::Key(key) => format!(".{key}"),
        PathPart::Index(index) => format!("[{index}]"),
    }
}

fn part_name(part: &PathPart) -> String {
    match part {
        PathPart::Key(key) => key.clone(),
        PathPart::Index(index) => index.to_string(),
    }
}

struct Walk<'s> {
    root: &'s Value,
    open: Open,
    /// Bounds the work on schemas that branch and refer to themselves.
    budget: usize,
}

impl<'s> Walk<'s> {
    /// Adds the schemas of `part` to `next`, and the names beside it to `there`. True when nothing certain can be said.
    fn enter(&mut self, schema: &'s Value, part: &PathPart, next: &mut Vec<&'s Value>, there: &mut Vec<String>, depth: usize) -> bool {
        self.budget = self.budget.saturating_sub(1);
        if depth > MAX_STEPS || self.budget == 0 {
            return true;
        }
        let Value::Object(fields) = schema else { return schema != &Value::Bool(false) };
        if let Some(reference) = fields.get("$ref") {
            let target = reference.as_str().and_then(|text| text.strip_prefix('#')).and_then(|pointer| self.root.pointer(pointer));
            return match target {
                Some(target) => self.enter(target, part, next, there, depth + 1),
                None => true,
            };
        }
        // What these add or take away is not worked out.
        if ["allOf", "if", "patternProperties", "dependentSchemas", "not", "$dynamicRef"].iter().any(|word| fields.contains_key(*word)) {
            return true;
        }
        for word in ["anyOf", "oneOf"] {
            if let Some(choices) = fields.get(word).and_then(Value::as_array) {
                return fields.contains_key("properties")
                    || choices.iter().fold(false, |perhaps, choice| self.enter(choice, part, next, there, depth + 1) | perhaps);
            }
        }
        let types: Vec<&str> = match fields.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ if fields.contains_key("properties") => vec!["object"],
            _ => return true,
        };
        types.into_iter().fold(false, |perhaps, kind| self.enter_type(kind, fields, part, next, there) | perhaps)
    }

    fn enter_type(
        &self,
        kind: &str,
        fields: &'s Map<String, Value>,
        part: &PathPart,
        next: &mut Vec<&'s Value>,
        there: &mut Vec<String>,
    ) -> bool {
        match (kind, part) {
            ("object", PathPart::Key(key)) => {
                let properties = fields.get("properties").and_then(Value::as_object);
                if let Some(property) = properties.and_then(|properties| properties.get(key)) {
                    next.push(property);
                    return false;
                }
                let closed = match (fields.get("additionalProperties"), self.open) {
                    (Some(Value::Bool(false)), _) => true,
                    (Some(_), _) => false,
                    (None, Open::AsClosed) => properties.is_some(),
                    (None, Open::AsWritten) => false,
                };
                there.extend(properties.into_iter().flat_map(Map::keys).cloned());
                !closed
            }
            ("array", PathPart::Index(_)) => match fields.get("items") {
                Some(items) if !fields.contains_key("prefixItems") => {
                    next.push(items);
                    false
                }
                _ => true,
            },
            ("array" | "string", PathPart::Key(key)) => {
                if key != "length" {
                    there.push("length".to_owned());
                }
                key == "length"
            }
            // An index of an object reads the key of that name.
            ("object" | "string", PathPart::Index(_)) => true,
            _ => false,
        }
    }
}
