//! `multipart/form-data` that is sent to a webhook: fields as texts, and files, which become files of the plan's organization.
//!
//! A delivery has been read whole by then, within the limit of all bodies: it may be signed.

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use mainspring_model::file::{Files, NewFile, media_type, safe_name};
use mainspring_model::id::{FileId, Owner};
use serde_json::{Map, Value, json};

use super::api::Api;
use super::body;
use super::file_form::{Form, MOST_FILES};
use super::file_stream::Steady;
use super::files::refused;
use super::kept_files::KeptFiles;
use super::problem::{Problem, Refusable};

/// The parts, in their order.
pub struct WebhookForm(Vec<(String, Content)>);

enum Content {
    Text(String),
    File { name: String, media_type: Option<String>, bytes: Bytes },
}

/// What was kept of a form for one plan.
pub struct Kept {
    body: Value,
    pub files: KeptFiles,
}

impl WebhookForm {
    /// `None`: the body is of another type.
    ///
    /// # Errors
    /// 400 when the form is broken.
    pub async fn read(api: &Api, headers: &HeaderMap, content: &Bytes) -> Refusable<Option<WebhookForm>> {
        if !body::media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data")) {
            return Ok(None);
        }
        let mut body = Steady::new(Body::from(content.clone()), api.clock.clone());
        let mut form = Form::of(headers, &mut body)?;
        let (mut parts, mut files) = (Vec::new(), 0);
        while let Some(part) = form.next_part().await? {
            let mut bytes = BytesMut::new();
            while let Some(some) = form.next_bytes().await? {
                bytes.extend_from_slice(&some);
            }
            let content = match part.file_name {
                None => Content::Text(String::from_utf8_lossy(&bytes).into_owned()),
                // A field of a page that was left empty.
                Some(name) if name.is_empty() && bytes.is_empty() => continue,
                Some(name) => {
                    files += 1;
                    if files > MOST_FILES {
                        return Err(Problem::malformed(format!("a form has at most {MOST_FILES} files")));
                    }
                    Content::File { name, media_type: part.media_type, bytes: bytes.freeze() }
                }
            };
            parts.push((part.name, content));
        }
        Ok(Some(WebhookForm(parts)))
    }

    /// The body before any file of it is kept: each is `{file: null, name, media_type, size}`.
    pub fn shown(&self) -> Value {
        self.body(|content| match content {
            Content::Text(text) => json!(text),
            Content::File { name, media_type: given, bytes } => {
                let name = safe_name(name);
                json!({"file": null, "media_type": media_type(given.as_deref(), &name), "name": name, "size": bytes.len()})
            }
        })
    }

    /// Keeps the files for an organization, until they expire: all of them or none.
    ///
    /// # Errors
    /// What keeping them says.
    pub async fn keep(&self, api: &Arc<Api>, owner: Owner) -> Refusable<Kept> {
        let mut kept = Kept { body: Value::Null, files: KeptFiles::new(api, owner) };
        let mut values = Vec::new();
        for (_, content) in &self.0 {
            let Content::File { name, media_type, bytes } = content else { continue };
            match write(api, owner, name, media_type.clone(), bytes).await {
                Ok((file, value)) => {
                    kept.files.add(file);
                    values.push(value);
                }
                Err(problem) => {
                    kept.files.remove().await;
                    return Err(problem);
                }
            }
        }
        let mut values = values.into_iter();
        kept.body = self.body(|content| match content {
            Content::Text(text) => json!(text),
            Content::File { .. } => values.next().unwrap_or_default(),
        });
        Ok(kept)
    }

    /// Name → value; a name that comes several times has a list.
    fn body(&self, mut value_of: impl FnMut(&Content) -> Value) -> Value {
        let mut body = Map::new();
        for (name, content) in &self.0 {
            let value = value_of(content);
            match body.get_mut(name) {
                None => drop(body.insert(name.clone(), value)),
                Some(Value::Array(values)) => values.push(value),
                Some(first) => {
                    let values = vec![std::mem::take(first), value];
                    *first = Value::Array(values);
                }
            }
        }
        Value::Object(body)
    }
}

impl Kept {
    /// As `trigger.body`.
    pub fn body(&mut self) -> Value {
        self.body.take()
    }
}

async fn write(api: &Api, owner: Owner, name: &str, media_type: Option<String>, bytes: &[u8]) -> Refusable<(FileId, Value)> {
    let kept = u64::try_from(api.engine.file_terms().kept.as_millis()).unwrap_or(u64::MAX);
    let new = NewFile { name: name.to_owned(), media_type, expires_in_ms: Some(Some(kept)) };
    let mut writer = api.engine.files(owner).create(new).await.map_err(refused)?;
    writer.write(bytes).await.map_err(refused)?;
    let value = writer.finish().await.map_err(refused)?;
    Ok((value.file, json!(value)))
}
