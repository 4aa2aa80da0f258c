//! What a page's form sends: fields as texts, and files, which go as they come to where files are kept.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, StatusCode};
use mainspring_model::file::{Files, NewFile};
use mainspring_model::form::{Field, Typed, Widget};
use mainspring_model::id::Owner;
use serde_json::json;

use super::api::Api;
use super::body::{self, discard};
use super::file_form::{Form, MOST_FILES, Part};
use super::file_stream::Steady;
use super::forms;
use super::kept_files::KeptFiles;
use super::problem::{Problem, Refusable};
use crate::webhooks::Hook;

/// The most that is read of the fields, in bytes, and in number.
const LARGEST: usize = 1 << 20;
const MOST: usize = 2_000;
/// Bytes of all files of a form: anybody may send it.
const MOST_BYTES: u64 = 64 << 20;

/// A form as it was sent.
pub struct Sent {
    pub typed: Typed,
    /// Why a file was not taken, by field.
    pub wrong: Vec<(Option<String>, String)>,
    pub files: KeptFiles,
}

impl Sent {
    /// What was wrong with the page, and that files have to be chosen again when it is shown again.
    pub fn with_files_again(&self, wrong: Vec<(Option<String>, String)>) -> Vec<(Option<String>, String)> {
        let again = self.typed.with_files().map(|name| (Some(name.to_owned()), "choose the file again".to_owned()));
        wrong.into_iter().chain(again).collect()
    }
}

/// Reads a form. Of a trigger's `page` files are taken only when what stands before them proves that the page was ours.
///
/// # Errors
/// 415 when it is no form, 413 when its fields are too large, and what reading says.
pub async fn sent(
    api: &Arc<Api>,
    owner: Owner,
    fields: &[Field],
    headers: &HeaderMap,
    content: Body,
    page: Option<&Hook>,
) -> Refusable<Sent> {
    match body::media_type(headers).map(str::to_ascii_lowercase).as_deref() {
        Some("application/x-www-form-urlencoded") => {
            let content = body::read(api, content).await?;
            if content.len() > LARGEST {
                return Err(too_large());
            }
            let pairs = url::form_urlencoded::parse(&content).take(MOST).map(|(name, value)| (name.into_owned(), value.into_owned()));
            Ok(Sent { typed: Typed::of(pairs), wrong: Vec::new(), files: KeptFiles::new(api, owner) })
        }
        Some("multipart/form-data") => {
            let mut body = Steady::new(content, api.clock.clone());
            let mut sent = Sent { typed: Typed::default(), wrong: Vec::new(), files: KeptFiles::new(api, owner) };
            let read = parts(api, owner, fields, headers, &mut body, page, &mut sent).await;
            if read.is_err() || !sent.wrong.is_empty() {
                sent.files.remove().await;
                // Who sends all before looking for an answer would learn that the connection broke, and never why.
                discard(api, body.rest());
            }
            read.map(|()| sent)
        }
        _ => {
            let detail = "send the form as application/x-www-form-urlencoded or multipart/form-data, as a browser does";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail))
        }
    }
}

fn too_large() -> Box<Problem> {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", format!("the fields of a form have at most {LARGEST} bytes"))
}

async fn parts(
    api: &Api,
    owner: Owner,
    fields: &[Field],
    headers: &HeaderMap,
    body: &mut Steady,
    page: Option<&Hook>,
    sent: &mut Sent,
) -> Refusable<()> {
    let mut form = Form::of(headers, body)?;
    let (mut left, mut room) = (LARGEST, MOST_BYTES);
    while let Some(part) = form.next_part().await? {
        let Some(file_name) = &part.file_name else {
            let mut text = Vec::new();
            while let Some(bytes) = form.next_bytes().await? {
                left = left.checked_sub(bytes.len()).ok_or_else(too_large)?;
                text.extend_from_slice(&bytes);
            }
            sent.typed.add(part.name, String::from_utf8_lossy(&text).into_owned());
            continue;
        };
        let is_asked = fields.iter().any(|field| field.name == part.name && matches!(field.widget, Widget::File { .. }));
        // A field that was left empty comes as a file without a name.
        if file_name.is_empty() || !is_asked {
            continue;
        }
        if let (Some(hook), true) = (page, sent.files.is_empty())
            && !forms::may_send_files(api, hook, &sent.typed).await?
        {
            sent.wrong.push((None, forms::TOO_LATE.to_owned()));
            return Ok(());
        }
        let field = part.name.clone();
        if sent.files.len() == MOST_FILES {
            sent.wrong.push((Some(field), format!("a form has at most {MOST_FILES} files")));
            return Ok(());
        }
        if let Err(why) = keep(api, owner, part, &mut form, &mut room, sent).await? {
            sent.wrong.push((Some(field), why));
            return Ok(());
        }
    }
    Ok(())
}

/// One file to its end; or why it is not taken.
async fn keep(api: &Api, owner: Owner, part: Part, form: &mut Form<'_>, room: &mut u64, sent: &mut Sent) -> Refusable<Result<(), String>> {
    let kept = u64::try_from(api.engine.file_terms().kept.as_millis()).unwrap_or(u64::MAX);
    let new = NewFile { name: part.file_name.unwrap_or_default(), media_type: part.media_type, expires_in_ms: Some(Some(kept)) };
    let written = async {
        let mut writer = match api.engine.files(owner).create(new).await {
            Ok(writer) => writer,
            Err(fault) => return Ok(Err(fault)),
        };
        while let Some(bytes) = form.next_bytes().await? {
            let Some(less) = room.checked_sub(bytes.len() as u64) else { return Ok(Ok(None)) };
            *room = less;
            if let Err(fault) = writer.write(&bytes).await {
                return Ok(Err(fault));
            }
        }
        Ok::<_, Box<Problem>>(writer.finish().await.map(Some))
    };
    Ok(match written.await? {
        Ok(Some(value)) => {
            sent.files.add(value.file);
            sent.typed.add_file(part.name, json!(value));
            Ok(())
        }
        Ok(None) => Err(format!("the files of a form have at most {} MiB together", MOST_BYTES >> 20)),
        Err(fault) => match fault.code.as_str() {
            "FILE_TOO_LARGE" => Err(fault.message),
            // How much an organization keeps is nothing that a stranger should read.
            "FILE_QUOTA" => Err("there is no room for files right now. Tell whoever sent you here.".to_owned()),
            _ => return Err(super::files::refused(fault)),
        },
    })
}
