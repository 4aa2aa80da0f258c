//! `file.read`: a file's bytes as text, JSON or base64, a bounded part at a time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use mainspring_model::file::{FILE_CHUNK, FileValue};
use mainspring_model::value::from_json;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Given;

/// Bytes of one reading.
const MOST: u64 = 8 << 20;

pub(super) struct Read;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    file: Given,
    /// What to give its bytes as.
    #[serde(default, rename = "as")]
    kind: Kind,
    /// Begin at this byte.
    #[serde(default)]
    offset: u64,
    /// Read so many bytes. All of them when absent, if they are at most 8 MiB.
    #[serde(default)]
    length: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Kind {
    /// UTF-8.
    #[default]
    Text,
    Json,
    Base64,
}

impl TypedAction for Read {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            example: json!({"file": "${steps.download.output}", "as": "text"}),
            ..ActionSpec::of::<Params>("read", "Read a file", "Gives a file's content as text, JSON or base64: at most 8 MiB at a time.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let file = params.file.find(cx).await?;
        let rest = file.size.saturating_sub(params.offset);
        let length = params.length.unwrap_or(rest).min(rest);
        if length > MOST {
            let message = format!(
                "{} has {} bytes, and {MOST} are read at most: read parts of it with offset and length, or give the file itself to steps \
                 that take files",
                file.name, file.size
            );
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        let bytes = part(&file, params.offset, length, cx).await?;
        let value = match params.kind {
            Kind::Base64 => Value::String(STANDARD.encode(&bytes)),
            Kind::Text => Value::String(text(bytes, &file)?),
            Kind::Json => from_json(&text(bytes, &file)?)
                .map_err(|error| Fault::new(Code::INVALID_INPUT, format!("{} is no JSON: {error}", file.name)))?,
        };
        Ok(Outcome::Done(Output::new(value).message(format!("{length} of {} bytes of {}", file.size, file.name))))
    }
}

fn text(bytes: Vec<u8>, file: &FileValue) -> Result<String, Fault> {
    let mut text = String::from_utf8(bytes).map_err(|_| {
        let message = format!("{} is no UTF-8 text, or its part begins or ends within a character; read it as base64", file.name);
        Fault::new(Code::INVALID_INPUT, message)
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

pub(super) async fn part(file: &FileValue, offset: u64, length: u64, cx: &Context) -> Result<Vec<u8>, Fault> {
    let chunk = FILE_CHUNK as u64;
    let (mut at, end) = (offset, offset.saturating_add(length));
    let mut all = Vec::new();
    while at < end {
        let piece = cx.files()?.read(file, u32::try_from(at / chunk).unwrap_or(u32::MAX)).await?;
        let skip = usize::try_from(at % chunk).unwrap_or(usize::MAX);
        let upto = piece.len().min(skip.saturating_add(usize::try_from(end - at).unwrap_or(usize::MAX)));
        if skip >= upto {
            return Err(Fault::internal(format!("the file {} is shorter than it should be", file.file)));
        }
        all.extend_from_slice(&piece[skip..upto]);
        at += (upto - skip) as u64;
    }
    Ok(all)
}
