//! Where two values differ, by path.

use serde_json::Value;

pub(super) struct Differing<'v> {
    /// Names and places joined by dots, such as `params.headers.accept` or `params.items.2`.
    pub(super) path: String,
    pub(super) from: Option<&'v Value>,
    pub(super) to: Option<&'v Value>,
}

/// Objects are compared name by name and lists of one length item by item; everything else as a whole.
pub(super) fn differing<'v>(from: &'v Value, to: &'v Value) -> Vec<Differing<'v>> {
    let mut found = Vec::new();
    walk("", Some(from), Some(to), &mut found);
    found
}

/// Depth is bounded where the documents were read.
fn walk<'v>(path: &str, from: Option<&'v Value>, to: Option<&'v Value>, found: &mut Vec<Differing<'v>>) {
    if from == to {
        return;
    }
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (from, to) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (name, value) in old {
                walk(&at(name), Some(value), new.get(name), found);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                walk(&at(name), None, Some(value), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (place, (old, new)) in old.iter().zip(new).enumerate() {
                walk(&at(&place.to_string()), Some(old), Some(new), found);
            }
        }
        _ => found.push(Differing { path: path.to_owned(), from, to }),
    }
}
