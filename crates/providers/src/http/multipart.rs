//! `multipart/form-data` (RFC 7578). Written here because a retried or redirected body must be the same bytes again,
//! which a random boundary is not.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use mainspring_model::Fault;
use mainspring_model::file::FileValue;
use mainspring_model::value::type_name;
use serde_json::{Map, Value};

use super::body::{Encoded, decode};
use super::files::{Found, named};
use super::query::scalar;

struct Part<'a> {
    name: &'a str,
    file: Option<String>,
    content_type: Option<String>,
    data: Segment,
}

/// A piece of a body as it is written: bytes, or those of a file.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Bytes(Bytes),
    File(FileValue),
}

impl Segment {
    pub(super) fn length(&self) -> u64 {
        match self {
            Segment::Bytes(bytes) => bytes.len() as u64,
            Segment::File(file) => file.size,
        }
    }
}

/// A form without files of ours.
pub(super) fn encode(fields: &Map<String, Value>) -> Result<Encoded, Fault> {
    let (segments, content_type) = segments(fields, &Found::new())?;
    let all: Vec<Bytes> =
        segments.into_iter().filter_map(|segment| if let Segment::Bytes(bytes) = segment { Some(bytes) } else { None }).collect();
    Ok(Encoded { bytes: all.concat().into(), content_type })
}

/// The pieces of a form, and its content type.
pub(super) fn segments(fields: &Map<String, Value>, found: &Found) -> Result<(Vec<Segment>, String), Fault> {
    let mut parts = Vec::new();
    for (name, value) in fields {
        let items = match value {
            Value::Null => &[],
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            parts.push(part(name, item, found)?);
        }
    }
    let boundary = boundary(&parts);
    let mut out = Vec::new();
    for part in parts {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escaped(part.name));
        if let Some(file) = &part.file {
            head.push_str(&format!("; filename=\"{}\"", escaped(file)));
        }
        if let Some(content_type) = &part.content_type {
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        head.push_str("\r\n\r\n");
        out.extend([Segment::Bytes(head.into()), part.data, Segment::Bytes(Bytes::from_static(b"\r\n"))]);
    }
    out.push(Segment::Bytes(format!("--{boundary}--\r\n").into()));
    Ok((out, format!("multipart/form-data; boundary={boundary}")))
}

fn part<'a>(name: &'a str, value: &Value, found: &Found) -> Result<Part<'a>, Fault> {
    if let Some(file) = named(value).and_then(|id| found.get(id)) {
        let (file_name, content_type) = (Some(file.name.clone()), Some(file.media_type.clone()));
        return Ok(Part { name, file: file_name, content_type, data: Segment::File(file.clone()) });
    }
    let Value::Object(file) = value else {
        let data = scalar(value)
            .ok_or_else(|| Fault::invalid_params(format!("body.{name} must be a value or a file; this is {}", type_name(value))))?;
        return Ok(Part { name, file: None, content_type: None, data: Segment::Bytes(data.into_owned().into()) });
    };
    let text = |key: &str| match file.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(Fault::invalid_params(format!("body.{name}.{key} must be text; this is {}", type_name(other)))),
    };
    if let Some(unknown) = file.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let message = format!("body.{name} has the unknown field \"{unknown}\"; a file has filename, content_type and text or base64");
        return Err(Fault::invalid_params(message));
    }
    let data = match (text("base64")?, text("text")?) {
        (Some(coded), None) => decode(&format!("body.{name}.base64"), coded)?,
        (None, Some(plain)) => Bytes::from(plain.to_owned()),
        _ => return Err(Fault::invalid_params(format!("body.{name} needs text or base64: one of the two"))),
    };
    let content_type = text("content_type")?.or(text("media_type")?).unwrap_or("application/octet-stream");
    if content_type.chars().any(char::is_control) {
        return Err(Fault::invalid_params(format!("body.{name}.content_type holds a line break or another control character")));
    }
    let file = text("filename")?.unwrap_or(name).to_owned();
    Ok(Part { name, file: Some(file), content_type: Some(content_type.to_owned()), data: Segment::Bytes(data) })
}

/// What a file may hold. `media_type` and `size` are there so that a binary answer can be passed on as it is.
const KEYS: [&str; 6] = ["filename", "content_type", "media_type", "text", "base64", "size"];

/// A text that stands in none of the parts, the same for the same parts.
fn boundary(parts: &[Part<'_>]) -> String {
    for salt in 0_u64.. {
        let mut hash = DefaultHasher::new();
        salt.hash(&mut hash);
        for part in parts {
            match &part.data {
                Segment::Bytes(bytes) => bytes.hash(&mut hash),
                // A file that holds the boundary that its own hash makes cannot be made.
                Segment::File(file) => file.sha256.hash(&mut hash),
            }
        }
        let boundary = format!("mainspring-{:016x}", hash.finish());
        if !parts.iter().any(|part| matches!(&part.data, Segment::Bytes(bytes) if contains(bytes, boundary.as_bytes()))) {
            return boundary;
        }
    }
    String::from("mainspring")
}

fn contains(data: &[u8], text: &[u8]) -> bool {
    data.windows(text.len()).any(|window| window == text)
}

/// As browsers escape names (HTML, multipart/form-data encoding algorithm).
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
