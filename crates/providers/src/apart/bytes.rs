//! Files as params and results of work that is done apart: the helper reads and writes none, so their bytes go there and come back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::Context;
use mainspring_model::file::{FILE_CHUNK, NewFile};
use mainspring_model::{Code, Fault};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::file::Given;

/// Of all files of one piece of work together, in bytes.
const MOST: u64 = 16 << 20;

/// Puts base64 where a param, or an item of a param that is a list, names a file.
///
/// # Errors
/// `FILE_NOT_FOUND`, `LIMIT_EXCEEDED`, and the store's.
pub(super) async fn fill(names: &[&str], params: &mut Value, cx: &Context) -> Result<(), Fault> {
    let mut room = MOST;
    for name in names {
        match params.get_mut(*name) {
            Some(Value::Array(items)) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    if let Some(file) = item.remove("file") {
                        item.insert("base64".to_owned(), Value::String(read(&file, &mut room, cx).await?));
                    }
                }
            }
            Some(value) if value.get("file").is_some() => *value = json!({"base64": read(value, &mut room, cx).await?}),
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of the param `name` as [`fill`] leaves it, or as its author wrote it.
///
/// # Errors
/// `INVALID_PARAMS` when it is none of these, `INVALID_INPUT` when it is no base64.
pub(crate) fn given(name: &str, value: &Value) -> Result<Vec<u8>, Fault> {
    let base64 = value.get("base64").unwrap_or(value).as_str();
    let base64 = base64
        .ok_or_else(|| Fault::invalid_params(format!("\"{name}\" must be a file, base64 text or an object with it as \"base64\"")))?;
    let decoded = STANDARD.decode(base64.trim());
    decoded.map_err(|error| Fault::new(Code::INVALID_INPUT, format!("the base64 cannot be read: {error}")))
}

async fn read(file: &Value, room: &mut u64, cx: &Context) -> Result<String, Fault> {
    let given = Given::deserialize(file).map_err(|error| Fault::invalid_params(error.to_string()))?;
    let file = given.find(cx).await?;
    if file.size > *room {
        let message = format!("{} has {} bytes, and {MOST} bytes of files are taken at once", file.name, file.size);
        return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
    }
    *room -= file.size;
    let mut bytes = Vec::with_capacity(usize::try_from(file.size).unwrap_or(FILE_CHUNK));
    for no in 0.. {
        if bytes.len() as u64 >= file.size {
            break;
        }
        let piece = cx.files()?.read(&file, no).await?;
        if piece.is_empty() {
            return Err(Fault::internal(format!("the file {} is shorter than it should be", file.file)));
        }
        bytes.extend(piece);
    }
    Ok(STANDARD.encode(bytes))
}

/// What the caller asked to become of the bytes that come back.
pub(super) enum Keep {
    /// They are given as they are.
    No,
    /// The one result becomes a file of this name.
    As(String),
    /// Each item of the result becomes a file of its own name.
    Each,
}

impl Keep {
    pub(super) fn of(params: &Value) -> Keep {
        match params.get("to_file") {
            Some(Value::String(name)) => Keep::As(name.clone()),
            Some(Value::Bool(true)) => Keep::Each,
            _ => Keep::No,
        }
    }

    pub(super) async fn keep(self, value: Value, cx: &Context) -> Result<Value, Fault> {
        match (self, value) {
            (Keep::As(name), Value::Object(mut result)) => write(&name, &mut result, cx).await,
            (Keep::Each, Value::Array(items)) => {
                let mut kept = Vec::with_capacity(items.len());
                for mut item in items {
                    if let Value::Object(entry) = &mut item {
                        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                        let file = write(&name, entry, cx).await?;
                        entry.insert("file".to_owned(), file);
                    }
                    kept.push(item);
                }
                Ok(Value::Array(kept))
            }
            (_, value) => Ok(value),
        }
    }
}

/// Takes the content out of an object and makes a file of it.
async fn write(name: &str, content: &mut Map<String, Value>, cx: &Context) -> Result<Value, Fault> {
    let bytes = match (content.remove("base64"), content.remove("text")) {
        (Some(Value::String(text)), _) => {
            STANDARD.decode(text).map_err(|error| Fault::internal(format!("a helper gave no base64: {error}")))?
        }
        (_, Some(Value::String(text))) => text.into_bytes(),
        _ => return Err(Fault::internal("a helper gave no content for a file")),
    };
    let media_type = content.get("media_type").and_then(Value::as_str).map(str::to_owned);
    let mut writer = cx.files()?.create(NewFile { name: name.to_owned(), media_type, expires_in_ms: None }).await?;
    writer.write(&bytes).await?;
    Ok(json!(writer.finish().await?))
}
