//! The joins of `logic.merge`: a hash of one list's keys, then one pass over the other.

use std::borrow::Cow;
use std::collections::HashMap;

use mainspring_model::Fault;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::bounds::kind;
use super::compare::content_key;
use super::merge::{Merged, Mode, both};
use super::path::Path;

/// Where each list has its key.
pub(super) struct JoinKey {
    a: Path,
    b: Path,
}

impl<'de> Deserialize<'de> for JoinKey {
    // Not `untagged`, whose error would only say that no variant fits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JoinKey, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Two {
            a: Path,
            b: Path,
        }
        match Value::deserialize(deserializer)? {
            Value::String(text) => {
                let path = Path::parse(&text).map_err(D::Error::custom)?;
                Ok(JoinKey { a: path.clone(), b: path })
            }
            value @ Value::Object(_) => {
                let Two { a, b } = serde_json::from_value(value).map_err(D::Error::custom)?;
                Ok(JoinKey { a, b })
            }
            other => Err(D::Error::custom(format!("\"key\" must be a path or {{a: path, b: path}}; it is {}", kind(&other)))),
        }
    }
}

impl JsonSchema for JoinKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JoinKey".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = Path::json_schema(generator);
        let two = json!({
            "type": "object", "properties": {"a": path, "b": path}, "required": ["a", "b"], "additionalProperties": false,
        });
        json_schema!({"anyOf": [path, two]})
    }
}

/// The pairs in the order of a and, for one item of a, in the order of b.
pub(super) fn join(mode: Mode, a: &[Value], b: &[Value], key: &JoinKey) -> Result<Value, Fault> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, item) in b.iter().enumerate() {
        if let Some(key) = key_of(&key.b, item) {
            places.entry(key).or_default().push(index);
        }
    }
    let mut matched = vec![false; b.len()];
    let mut merged = Merged::default();
    for (index, item) in a.iter().enumerate() {
        let matches = key_of(&key.a, item).and_then(|key| places.get(&key)).map_or(&[][..], Vec::as_slice);
        for &other in matches {
            matched[other] = true;
            merged.push(both(item, &b[other], index, other)?)?;
        }
        if matches.is_empty() && mode != Mode::Inner {
            merged.push(item.clone())?;
        }
    }
    if mode == Mode::Outer {
        for (item, _) in b.iter().zip(matched).filter(|(_, matched)| !matched) {
            merged.push(item.clone())?;
        }
    }
    Ok(merged.into_value())
}

fn key_of(path: &Path, item: &Value) -> Option<String> {
    path.get(item).filter(|key| !key.is_null()).map(content_key)
}
