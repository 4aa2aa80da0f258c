//! An endpoint with `{placeholders}`, and the address that it makes with params: always below the base address.

use std::collections::BTreeSet;

use mainspring_model::Fault;
use mainspring_model::value::type_name;
use serde_json::{Map, Value};
use url::Url;

use crate::egress::Request;
use crate::http::query::scalar;

/// The placeholders of an endpoint in order, each once. `Err` is a sentence about what is wrong.
pub(super) fn placeholders(endpoint: &str) -> Result<Vec<String>, String> {
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    let mut rest = endpoint;
    while let Some((before, after)) = rest.split_once('{') {
        if before.contains('}') {
            return Err("a \"}\" has no \"{\"".to_owned());
        }
        let (name, after) = after.split_once('}').ok_or("a \"{\" is not closed")?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !plain {
            return Err(format!("\"{{{name}}}\" is no placeholder; write a param's name"));
        }
        if seen.insert(name.to_owned()) {
            out.push(name.to_owned());
        }
        rest = after;
    }
    if rest.contains('}') { Err("a \"}\" has no \"{\"".to_owned()) } else { Ok(out) }
}

/// The address for these params; what filled a placeholder is taken out of them.
pub(super) fn address(base: &Url, endpoint: &str, params: &mut Map<String, Value>) -> Result<Url, Fault> {
    let mut path = String::new();
    let mut rest = endpoint;
    let mut used = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| Fault::invalid_params("endpoint: a \"{\" is not closed"))?;
        path.push_str(before);
        path.push_str(&filled(name, params.get(name))?);
        used.push(name.to_owned());
        rest = after;
    }
    path.push_str(rest);
    used.iter().for_each(|name| {
        params.shift_remove(name);
    });
    let mut text = base.as_str().trim_end_matches('/').to_owned();
    if !path.is_empty() && !path.starts_with('?') {
        text.push('/');
    }
    text.push_str(path.trim_start_matches('/'));
    let url = Request::parse_url(&text)?;
    // Whatever an endpoint holds (`@`, `\`, `..`), the credential goes to the integration's own origin and below its path.
    let home = base.path().trim_end_matches('/');
    if url.origin() != base.origin() || !url.username().is_empty() || !(url.path() == home || url.path().starts_with(&format!("{home}/"))) {
        return Err(Fault::invalid_params(format!("endpoint: \"{endpoint}\" leads away from the integration's base address")));
    }
    Ok(url)
}

/// A value as one part of a path. Dots alone would climb, in whatever encoding, so they are refused.
fn filled(name: &str, value: Option<&Value>) -> Result<String, Fault> {
    let value =
        value.filter(|value| !value.is_null()).ok_or_else(|| Fault::invalid_params(format!("{name} is missing; the address needs it")))?;
    let text = scalar(value).ok_or_else(|| {
        Fault::invalid_params(format!("{name} is part of the address, so it must be text or a number; this is {}", type_name(value)))
    })?;
    if text.is_empty() || text == "." || text == ".." {
        return Err(Fault::invalid_params(format!("{name} is part of the address and cannot be \"{text}\"")));
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(out)
}
