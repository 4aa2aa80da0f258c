//! Small questions about JSON values that several modules ask: what type it is, how large, how it reads in one line.

use serde_json::Value;

/// The JSON type's name as users read it: `null`, `boolean`, `number`, `text`, `list`, `object`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Bytes of the value's compact JSON, close enough to bound sizes by without writing it out.
pub fn approximate_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| approximate_size(item) + 1).sum::<usize>(),
        Value::Object(fields) => 2 + fields.iter().map(|(name, item)| name.len() + 4 + approximate_size(item)).sum::<usize>(),
    }
}

/// The first `limit` characters of a value in one line: text as it is, everything else as compact JSON.
pub fn preview(value: &Value, limit: usize) -> String {
    let text = match value {
        Value::String(text) => std::borrow::Cow::Borrowed(text.as_str()),
        other => std::borrow::Cow::Owned(other.to_string()),
    };
    text.chars().take(limit).collect()
}

/// `pointer` with one more part, escaped as RFC 6901 says.
pub fn pointer_join(pointer: &str, part: &str) -> String {
    if part.contains(['~', '/']) {
        format!("{pointer}/{}", part.replace('~', "~0").replace('/', "~1"))
    } else {
        format!("{pointer}/{part}")
    }
}

/// Reads JSON text, also when it nests deeper than serde_json's own limit of 128: plans of 64 levels do, and a stored event nests
/// a little deeper than the value it carries. Depth stays bounded at 256.
///
/// # Errors
/// serde_json's, for text that is no JSON or does not fit `T`.
pub fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match crate::plan::parse(text, crate::plan::Format::Json) {
        Ok(source) => serde_json::from_value(source.value),
        Err(_) => Err(error),
    }
}
