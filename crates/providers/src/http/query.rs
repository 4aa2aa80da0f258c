//! Objects of scalars as name–value pairs, for queries, forms and headers.

use std::borrow::Cow;

use http::HeaderMap;
use mainspring_model::Fault;
use mainspring_model::value::type_name;
use serde_json::{Map, Value};
use url::Url;

use crate::egress::{header_name, header_value};

/// A scalar as the wire writes it; `None` for null, lists and objects.
pub(crate) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The pairs of an object in written order: a list repeats its name, null is left out.
pub(crate) fn pairs<'a>(what: &str, fields: &'a Map<String, Value>) -> Result<Vec<(&'a str, Cow<'a, str>)>, Fault> {
    let mut out = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let items = match value {
            Value::Null => &[],
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items.iter().filter(|item| !item.is_null()) {
            let text = scalar(item).ok_or_else(|| {
                Fault::invalid_params(format!("{what}.{name} must be text, a number, true or false; this is {}", type_name(item)))
            })?;
            out.push((name.as_str(), text));
        }
    }
    Ok(out)
}

/// Adds pairs to a URL's query.
pub(crate) fn add_query(url: &mut Url, query: &Map<String, Value>) -> Result<(), Fault> {
    let pairs = pairs("query", query)?;
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(())
}

/// Header params as headers. Values that a plan wrote are not known to be secret, yet none follows to another origin.
pub(crate) fn headers(fields: &Map<String, Value>) -> Result<HeaderMap, Fault> {
    let mut out = HeaderMap::with_capacity(fields.len() + 4);
    for (name, value) in pairs("headers", fields)? {
        let name = header_name(name)?;
        let value = header_value(&name, &value)?;
        out.append(name, value);
    }
    Ok(out)
}
