//! Files of an organization: bytes in and out as streams, never whole in memory.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, Request, State};
use http::{HeaderMap, StatusCode};
use mainspring_model::fault::{Class, Fault};
use mainspring_model::file::{FileValue, Files, NewFile};
use mainspring_model::id::{FileId, UserId};
use mainspring_model::store::FileRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{discard, media_type};
use super::caller::Caller;
use super::file_content::content;
use super::file_form::{Form, MOST_FILES};
use super::file_stream::Steady;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Room for what stands around the bytes of a form.
const AROUND: u64 = 1 << 20;

/// A file. Given to a plan as an input, it is what steps take as a file.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileBody {
    /// Its id.
    file: Id,
    /// As it was given, without folders and characters that deceive.
    #[schema(example = "orders.csv")]
    name: String,
    /// As its sender declared it, or by its name.
    #[schema(example = "text/csv")]
    media_type: String,
    size: u64,
    /// Of its bytes.
    sha256: String,
    created_by: Id,
    created_at: Time,
    /// It is removed then; null: it stays until somebody removes it.
    expires_at: Option<Time>,
    /// The run that wrote it.
    run_id: Option<Id>,
    /// The step of that run.
    step: Option<String>,
}

impl From<FileRecord> for FileBody {
    fn from(record: FileRecord) -> FileBody {
        let FileValue { file, name, media_type, size, sha256 } = record.value;
        FileBody {
            file: Id::of(file.0),
            name,
            media_type,
            size,
            sha256,
            created_by: UserId::into(record.owner.user),
            created_at: Time(record.created_at),
            expires_at: record.expires_at.map(Time),
            run_id: record.run.map(Id::from),
            step: record.step,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// The file's name, when the body is the file itself.
    name: Option<String>,
    /// Remove it after this long, such as `7d`; it stays when absent.
    expires_in: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FileAnswer {
    file: FileBody,
    /// All of them, when a form had several.
    files: Vec<FileBody>,
}

/// Keep a file
///
/// The body is the file itself, of any media type, with its name in `?name=`; or a form (`multipart/form-data`) with up to 20 files. It is
/// kept whole or not at all, and answered when it is on disk.
#[utoipa::path(post, path = "/api/files", tag = "files", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = FileAnswer)))]
pub async fn upload_file(State(api): Shared, query: Query<UploadQuery>, request: Request) -> Refusable<Reply> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &api).await?;
    let expires_in_ms = Some(expiry(query.0.expires_in.as_deref())?);
    let kind = media_type(&parts.headers).map(str::to_ascii_lowercase);
    let files = api.engine.files(caller.owner);
    let declared = body.size_hint().exact().unwrap_or_default();
    if declared > files.most().saturating_add(AROUND) {
        discard(&api, body);
        let message = format!("a file has at most {} bytes here; split it, or raise MAINSPRING_FILE_SIZE", files.most());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "FILE_TOO_LARGE", message));
    }
    let mut body = Steady::new(body, api.clock.clone());
    let written = match kind.as_deref() {
        Some("application/x-www-form-urlencoded") => {
            let detail = "that is the type of a form without files: send the file's own type, or application/octet-stream, or \
                          multipart/form-data (curl: --data-binary with -H 'Content-Type: …', or -F)";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
        }
        Some("multipart/form-data") => by_form(&files, &parts.headers, &mut body, expires_in_ms).await,
        media_type => {
            let new = NewFile { name: query.0.name.unwrap_or_default(), media_type: media_type.map(str::to_owned), expires_in_ms };
            by_itself(&files, new, &mut body).await.map(|value| vec![value])
        }
    };
    let values = written.inspect_err(|problem| {
        // Who sends all before looking for an answer would learn that the connection broke, and never why.
        if problem.status == StatusCode::PAYLOAD_TOO_LARGE {
            discard(&api, body.rest());
        }
    })?;
    let mut shown = Vec::new();
    for value in &values {
        shown.push(FileBody::from(record(&api, &caller, value.file).await?));
        api.audit(&caller, "upload_file", Target::new("file", value.file), None, Some(told(value)));
    }
    let first = FileBody::from(record(&api, &caller, values[0].file).await?);
    let location = format!("/api/files/{}", values[0].file);
    Ok(Reply::json(StatusCode::CREATED, &FileAnswer { file: first, files: shown }).location(&location))
}

fn told(value: &FileValue) -> Value {
    json!({ "name": value.name, "media_type": value.media_type, "size": value.size, "sha256": value.sha256 })
}

fn expiry(text: Option<&str>) -> Refusable<Option<u64>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match mainspring_model::duration::parse_text(text) {
        Ok(within) if !within.is_zero() => Ok(Some(u64::try_from(within.as_millis()).unwrap_or(u64::MAX))),
        _ => Err(query::wrong("expires_in", "it is a duration, such as 1h or 7d".to_owned())),
    }
}

async fn by_itself(files: &dyn Files, new: NewFile, body: &mut Steady) -> Refusable<FileValue> {
    let mut writer = files.create(new).await.map_err(refused)?;
    while let Some(bytes) = body.next().await? {
        writer.write(&bytes).await.map_err(refused)?;
    }
    writer.finish().await.map_err(refused)
}

/// All of them or none.
async fn by_form(
    files: &dyn Files,
    headers: &HeaderMap,
    body: &mut Steady,
    expires_in_ms: Option<Option<u64>>,
) -> Refusable<Vec<FileValue>> {
    let mut form = Form::of(headers, body)?;
    let mut kept = Vec::new();
    let all = async {
        while let Some(part) = form.next_part().await? {
            // A field beside the files says nothing to us.
            let Some(name) = part.file_name else {
                while form.next_bytes().await?.is_some() {}
                continue;
            };
            if kept.len() == MOST_FILES {
                return Err(Problem::malformed(format!("a form has at most {MOST_FILES} files; send the others in another one")));
            }
            let new = NewFile { name, media_type: part.media_type, expires_in_ms };
            let mut writer = files.create(new).await.map_err(refused)?;
            while let Some(bytes) = form.next_bytes().await? {
                writer.write(&bytes).await.map_err(refused)?;
            }
            kept.push(writer.finish().await.map_err(refused)?);
        }
        match kept.is_empty() {
            true => Err(Problem::malformed("the form has no file: a part of it needs a filename")),
            false => Ok(()),
        }
    };
    if let Err(problem) = all.await {
        for value in kept {
            files.delete(value.file).await.map_err(refused)?;
        }
        return Err(problem);
    }
    Ok(kept)
}

/// A fault of the capability as an answer.
pub(super) fn refused(fault: Fault) -> Box<Problem> {
    let code = fault.code.as_str().to_owned();
    let status = match code.as_str() {
        "FILE_NOT_FOUND" => StatusCode::NOT_FOUND,
        "FILE_TOO_LARGE" | "FILE_QUOTA" => StatusCode::PAYLOAD_TOO_LARGE,
        "LIMIT_EXCEEDED" => StatusCode::TOO_MANY_REQUESTS,
        "CONFLICT" => StatusCode::CONFLICT,
        _ if fault.class == Class::Transient => {
            let mut problem = Problem::unavailable("FILES_UNAVAILABLE", "files cannot be reached right now; nothing accepted was lost");
            problem.cause = Some(fault.to_string());
            return problem;
        }
        _ => return Problem::internal(fault),
    };
    Problem::new(status, code, fault.message)
}

async fn record(api: &Arc<Api>, caller: &Caller, id: FileId) -> Refusable<FileRecord> {
    let found = api.store.get_file(caller.owner.org, id).await?;
    found.ok_or_else(|| Problem::not_found(format_args!("the file {id}")))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// 1 to 200; 50 when absent.
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FileList {
    files: Vec<FileBody>,
    next_cursor: Option<String>,
    used: FilesUsed,
}

/// What the organization keeps, and may.
#[derive(Serialize, ToSchema)]
pub struct FilesUsed {
    files: u64,
    bytes: u64,
    quota_bytes: u64,
    /// Of one file.
    most_bytes: u64,
}

/// The organization's files, newest first
#[utoipa::path(get, path = "/api/files", tag = "files", params(FileQuery), responses((status = 200, body = FileList)))]
pub async fn list_files(State(api): Shared, caller: Caller, query: Query<FileQuery>) -> Refusable<Reply> {
    let paging = query::paging(query.0.limit.as_deref(), query.0.cursor)?;
    let page = api.store.list_files(caller.owner.org, &paging).await?;
    let (totals, terms) = (api.store.file_totals(caller.owner.org).await?, api.engine.file_terms());
    let used = FilesUsed { files: totals.files, bytes: totals.bytes, quota_bytes: terms.quota, most_bytes: terms.most };
    let files = page.items.into_iter().map(FileBody::from).collect();
    Ok(Reply::ok(&FileList { files, next_cursor: page.next_cursor, used }))
}

#[derive(Serialize, ToSchema)]
pub struct OneFile {
    file: FileBody,
}

/// What is known of a file
#[utoipa::path(get, path = "/api/files/{id}", tag = "files", params(("id" = String, Path)), responses((status = 200, body = OneFile)))]
pub async fn get_file(State(api): Shared, caller: Caller, PathId(id): PathId<FileId>) -> Refusable<Reply> {
    Ok(Reply::ok(&OneFile { file: record(&api, &caller, id).await?.into() }))
}

/// A file's bytes
///
/// As an attachment, never to be shown in place. Takes `Range`, and `If-None-Match` with the `ETag`, which is the SHA-256.
#[utoipa::path(get, path = "/api/files/{id}/content", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, description = "The range."),
    (status = 304, description = "It is what the caller has."), (status = 416, description = "There is no such range.")))]
pub async fn get_file_content(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<FileId>,
    headers: HeaderMap,
) -> Refusable<http::Response<Body>> {
    let value = record(&api, &caller, id).await?.value;
    content(api.engine.files(caller.owner), value, &headers).await
}

/// Remove a file
///
/// Runs that hold its value find nothing behind it afterwards.
#[utoipa::path(delete, path = "/api/files/{id}", tag = "files", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete_file(State(api): Shared, PathId(id): PathId<FileId>, caller: Caller) -> Refusable<Reply> {
    let value = record(&api, &caller, id).await?.value;
    if !api.store.delete_file(caller.owner.org, id).await? {
        return Err(Problem::not_found(format_args!("the file {id}")));
    }
    api.audit(&caller, "delete_file", Target::new("file", id), Some(told(&value)), None);
    Ok(Reply::no_content())
}
