//! A body param as bytes and the content type that says what they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mainspring_model::Fault;
use mainspring_model::value::type_name;
use serde_json::Value;
use url::form_urlencoded;

use super::multipart;
use super::params::BodyType;
use super::query::{pairs, scalar};

/// A body ready to leave.
pub(crate) struct Encoded {
    pub bytes: Bytes,
    pub content_type: String,
}

/// Encodes a body. Without a type, text is text and everything else JSON.
pub(crate) fn encode(body: &Value, kind: Option<BodyType>) -> Result<Encoded, Fault> {
    let kind = kind.unwrap_or(if body.is_string() { BodyType::Text } else { BodyType::Json });
    match kind {
        BodyType::Json => Ok(Encoded { bytes: body.to_string().into(), content_type: "application/json".into() }),
        BodyType::Text => {
            let text = scalar(body).ok_or_else(|| wrong("text", "text", body))?;
            Ok(Encoded { bytes: text.into_owned().into(), content_type: "text/plain; charset=utf-8".into() })
        }
        BodyType::Form => {
            let fields = body.as_object().ok_or_else(|| wrong("form", "an object", body))?;
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs("body", fields)?).finish();
            Ok(Encoded { bytes: text.into(), content_type: "application/x-www-form-urlencoded".into() })
        }
        BodyType::Multipart => {
            let fields = body.as_object().ok_or_else(|| wrong("multipart", "an object", body))?;
            multipart::encode(fields)
        }
        BodyType::Binary => {
            let (text, media_type) = match body {
                Value::String(text) => (text.as_str(), None),
                Value::Object(file) => (
                    file.get("base64")
                        .and_then(Value::as_str)
                        .ok_or_else(|| wrong("binary", "base64 text or {base64, media_type}", body))?,
                    file.get("media_type").and_then(Value::as_str),
                ),
                other => return Err(wrong("binary", "base64 text or {base64, media_type}", other)),
            };
            let content_type = media_type.unwrap_or("application/octet-stream").to_owned();
            Ok(Encoded { bytes: decode("body", text)?, content_type })
        }
    }
}

/// Base64 as bytes; line breaks inside are usual and skipped.
pub(super) fn decode(what: &str, text: &str) -> Result<Bytes, Fault> {
    let decoded = match text.contains(['\n', '\r']) {
        true => STANDARD.decode(text.replace(['\n', '\r'], "")),
        false => STANDARD.decode(text),
    };
    decoded.map(Bytes::from).map_err(|error| Fault::invalid_params(format!("{what} is not base64: {error}")))
}

fn wrong(kind: &str, needed: &str, body: &Value) -> Fault {
    Fault::invalid_params(format!("body: body_type {kind} needs {needed}; this is {}", type_name(body)))
}
