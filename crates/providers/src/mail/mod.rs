//! Mail as runs see it: a message is read in a process apart, and its attachments become files.

mod message;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::file::{Files, NewFile};
use mainspring_model::mailbox::Message;
use mainspring_model::{Code, Fault};
use serde_json::{Value, json};

use crate::apart::Apart;

/// The name of this work in a helper.
pub(crate) const PARSE: &str = "mail.parse";

/// For one message.
const WITHIN: Duration = Duration::from_secs(30);
/// Bytes of the header of a message that cannot be read as a whole.
const HEADER: usize = 256 << 10;

/// What is read of a message: `{base64, whole}` in, its fields out, with the attachments' bytes as base64.
///
/// # Errors
/// `INTERNAL` when the params are not those of [`read`].
pub(crate) fn parse(mut params: Value) -> Result<Value, Fault> {
    let whole = params["whole"] == json!(true);
    let Value::String(base64) = params["base64"].take() else { return Err(Fault::internal("mail.parse was given no message")) };
    let bytes = STANDARD.decode(&base64).map_err(|error| Fault::internal(format!("mail.parse was given no base64: {error}")))?;
    drop(base64);
    Ok(message::fields(&bytes, whole))
}

/// A message for a run. `too_large`: only its beginning is there, for this reason.
///
/// # Errors
/// The store's, while files are written; nothing of them stays then.
pub(crate) async fn read(
    apart: &Apart,
    bytes: Vec<u8>,
    too_large: Option<Fault>,
    into: &dyn Files,
    keep_ms: u64,
) -> Result<Message, Fault> {
    let mut body_error = too_large;
    let whole = body_error.is_none();
    let mut fields = match apart.run(PARSE, || params(&bytes, whole), WITHIN, parse).await {
        Ok(fields) => fields,
        // It is made so that it takes too long, or it is chance: what it says of itself may be read all the same.
        Err(fault) if fault.code == Code::LIMIT_EXCEEDED => {
            body_error = Some(fault);
            let header = &bytes[..bytes.len().min(HEADER)];
            match apart.run(PARSE, || params(header, false), WITHIN, parse).await {
                Ok(fields) => fields,
                Err(fault) if fault.code == Code::LIMIT_EXCEEDED => Value::Object(Message::empty().fields),
                Err(fault) => return Err(fault),
            }
        }
        Err(fault) => return Err(fault),
    };
    drop(bytes);
    let given = match fields["attachments"].take() {
        Value::Array(given) => given,
        _ => Vec::new(),
    };
    let Value::Object(mut fields) = fields else { return Err(Fault::internal("a helper made no fields of a message")) };
    let mut message = Message::default();
    let (mut attachments, mut attachments_error) = (Vec::new(), fields.remove("attachments_error").unwrap_or_default());
    for one in given {
        match write(one, into, keep_ms).await {
            Ok(file) => {
                message.files.push(file.file);
                attachments.push(json!(file));
            }
            // The plan has its place and can say what to do.
            Err(fault) if matches!(fault.code.as_str(), "FILE_TOO_LARGE" | "FILE_QUOTA") => attachments_error = error(&fault),
            Err(fault) => {
                for file in message.files {
                    // What this does not reach expires.
                    drop(into.delete(file).await);
                }
                return Err(fault);
            }
        }
    }
    fields.insert("attachments".to_owned(), Value::Array(attachments));
    fields.insert("attachments_error".to_owned(), attachments_error);
    if let Some(fault) = body_error {
        fields.insert("body_error".to_owned(), error(&fault));
    }
    message.fields = fields;
    Ok(message)
}

fn params(bytes: &[u8], whole: bool) -> Value {
    json!({"base64": STANDARD.encode(bytes), "whole": whole})
}

fn error(fault: &Fault) -> Value {
    json!({"code": fault.code, "message": fault.message})
}

async fn write(mut one: Value, into: &dyn Files, keep_ms: u64) -> Result<mainspring_model::file::FileValue, Fault> {
    let Value::String(base64) = one["base64"].take() else { return Err(Fault::internal("a helper gave an attachment no bytes")) };
    let bytes = STANDARD.decode(&base64).map_err(|error| Fault::internal(format!("a helper gave no base64: {error}")))?;
    let text = |name: &str| one[name].as_str().map(str::to_owned);
    let new = NewFile { name: text("name").unwrap_or_default(), media_type: text("media_type"), expires_in_ms: Some(Some(keep_ms)) };
    let mut writer = into.create(new).await?;
    writer.write(&bytes).await?;
    writer.finish().await
}

#[cfg(test)]
mod tests;
