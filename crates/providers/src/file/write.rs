//! `file.write`: text, JSON or bytes become a file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction, schema_of};
use mainspring_model::file::{FileValue, NewFile};
use mainspring_model::{Fault, duration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) struct Write;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The file's name.
    name: String,
    /// Written as UTF-8. One of text, base64 and json is needed.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    base64: Option<String>,
    /// Any value, written as JSON.
    #[serde(default, deserialize_with = "some")]
    json: Option<Value>,
    /// By the name when absent.
    #[serde(default)]
    media_type: Option<String>,
    /// Remove it after this long, such as 7d, or never. The operator's `files.keep_for` (30d) when absent.
    #[serde(default)]
    expires_in: Option<String>,
}

/// null is a value too.
fn some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl TypedAction for Write {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            // What a repeated attempt leaves behind goes at its time, and nobody has its value.
            effect: Effect::Idempotent,
            output: Some(schema_of::<FileValue>()),
            example: json!({"name": "greeting.txt", "text": "Hello", "expires_in": "7d"}),
            ..ActionSpec::of::<Params>("write", "Write a file", "Keeps text, JSON or bytes as a file and gives the file.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let expires_in_ms = params.expires_in.as_deref().map(expiry).transpose()?;
        let (bytes, media_type) = match (params.text, params.base64, params.json) {
            (Some(text), None, None) => (text.into_bytes(), None),
            (None, Some(text), None) => {
                let plain: String = text.split_ascii_whitespace().collect();
                let bytes = STANDARD.decode(plain).map_err(|error| Fault::invalid_params(format!("base64: it is not base64: {error}")))?;
                (bytes, None)
            }
            (None, None, Some(value)) => (value.to_string().into_bytes(), Some("application/json".to_owned())),
            _ => return Err(Fault::invalid_params("one of text, base64 and json is needed, and only one")),
        };
        let new = NewFile { name: params.name, media_type: params.media_type.or(media_type), expires_in_ms };
        let mut writer = cx.files()?.create(new).await?;
        writer.write(&bytes).await?;
        let file = writer.finish().await?;
        Ok(Outcome::Done(Output::new(json!(file)).message(format!("{} has {} bytes", file.name, file.size))))
    }
}

/// `None`: never.
pub(super) fn expiry(text: &str) -> Result<Option<u64>, Fault> {
    if text == "never" {
        return Ok(None);
    }
    let within = duration::parse_text(text).map_err(|error| Fault::invalid_params(format!("expires_in: {error}; or write never")))?;
    Ok(Some(u64::try_from(within.as_millis()).unwrap_or(u64::MAX)))
}
