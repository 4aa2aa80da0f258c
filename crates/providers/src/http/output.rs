//! An answer as a step's output: JSON, text or base64 by what the service says it is, and the facts beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, header};
use mainspring_model::action::Output;
use mainspring_model::{Code, Fault};
use serde_json::{Map, Value, json};

use super::params::ResponseType;
use crate::egress::{Answer, text};

/// Values that one JSON answer may hold. In memory each takes some 70 bytes, however few it has on the wire.
const MOST_VALUES: usize = 2_000_000;

/// Reads a body.
///
/// # Errors
/// `BAD_RESPONSE` when it is not the JSON that it says it is, or that the step asked for; `PAYLOAD_TOO_LARGE` for JSON
/// of too many values; beside those of [`Answer::bytes`].
pub(crate) async fn read(answer: &mut Answer, wanted: ResponseType) -> Result<Value, Fault> {
    let bytes = answer.bytes().await?;
    let media_type = answer.media_type();
    let kind = match wanted {
        ResponseType::Auto if bytes.is_empty() => return Ok(Value::Null),
        ResponseType::Auto => by_media_type(&media_type, &bytes),
        chosen => chosen,
    };
    match kind {
        ResponseType::Json if bytes.is_empty() => Ok(Value::Null),
        ResponseType::Json | ResponseType::Auto => json(answer, bytes, wanted),
        ResponseType::File => Err(answer.fault(Code::INVALID_PARAMS, "cannot be written to a file by this action; use http.request")),
        ResponseType::Text => Ok(Value::String(text(&answer.headers, bytes))),
        ResponseType::Base64 => Ok(json!({"base64": STANDARD.encode(&bytes), "media_type": media_type, "size": bytes.len()})),
    }
}

fn json(answer: &Answer, bytes: Bytes, wanted: ResponseType) -> Result<Value, Fault> {
    if too_many_values(&bytes) {
        let text = format!("answered JSON of more than {MOST_VALUES} values; ask for less, or take it as text");
        return Err(answer.fault(Code::PAYLOAD_TOO_LARGE, text));
    }
    let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match serde_json::from_slice(plain) {
        Ok(value) => Ok(value),
        Err(error) => {
            let preview: String = text(&answer.headers, bytes.slice(..bytes.len().min(8_000))).chars().take(2_000).collect();
            let why = match wanted {
                ResponseType::Json => "answered what is not JSON".to_owned(),
                _ => format!("answered what it calls {} and is not JSON", answer.media_type()),
            };
            let text = format!("{why}: {error}; to take it as it is, set response: text");
            Err(answer.fault(Code::BAD_RESPONSE, text).details(json!({"status": answer.status.as_u16(), "body": preview})))
        }
    }
}

fn by_media_type(media_type: &str, bytes: &[u8]) -> ResponseType {
    if media_type == "application/json" || media_type.ends_with("+json") || media_type == "text/json" {
        return ResponseType::Json;
    }
    let textual = media_type.starts_with("text/")
        || media_type.ends_with("+xml")
        || ["application/xml", "application/javascript", "application/x-ndjson", "application/jsonl", "application/csv"]
            .contains(&media_type)
        || ["application/yaml", "application/x-yaml", "application/x-www-form-urlencoded", "application/graphql"].contains(&media_type)
        || (media_type.is_empty() && std::str::from_utf8(bytes).is_ok());
    if textual { ResponseType::Text } else { ResponseType::Base64 }
}

/// Counts the commas outside strings, which are one less than the values of their list or object.
fn too_many_values(bytes: &[u8]) -> bool {
    if bytes.len() < MOST_VALUES {
        return false;
    }
    let (mut values, mut quoted, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => values += 1,
            _ => {}
        }
    }
    values > MOST_VALUES
}

/// The step's result: the value, one line, and `status_code`, `headers`, `url`.
pub(crate) fn output(answer: &Answer, value: Value) -> Output {
    let reason = answer.status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    Output::new(value)
        .message(format!("{} answered {}{reason}", answer.place, answer.status.as_u16()))
        .metadata("status_code", answer.status.as_u16())
        .metadata("headers", headers(&answer.headers))
        .metadata("url", answer.url.as_str())
}

/// An answer's headers by lower-case name; those that came more than once joined as HTTP allows, cookies as a list.
fn headers(headers: &HeaderMap) -> Value {
    let mut out = Map::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let value = match *name == header::SET_COOKIE {
            true => values.map(|value| Value::String(value.into_owned())).collect(),
            false => Value::String(values.collect::<Vec<_>>().join(", ")),
        };
        out.insert(name.as_str().to_owned(), value);
    }
    Value::Object(out)
}
