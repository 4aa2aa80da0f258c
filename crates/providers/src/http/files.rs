//! Bodies from files and answers into files: what passes is a piece at a time, however large the file is.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http::header;
use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::file::{FILE_CHUNK, FileValue, Files, NewFile};
use mainspring_model::id::FileId;
use serde_json::{Value, json};

use super::multipart::{self, Segment};
use super::params::BodyType;
use crate::egress::{Answer, Streamed};

/// Files that a body names, by their ids as they were written.
pub(super) type Found = BTreeMap<String, FileValue>;

/// A body with files in it, and its content type; `None` when it has none.
pub(super) async fn streamed(body: &Value, kind: Option<BodyType>, cx: &Context) -> Result<Option<(Streamed, String)>, Fault> {
    let mut found = Found::new();
    match (kind, body) {
        (Some(BodyType::Binary), whole) => look(whole, &mut found, cx).await?,
        (Some(BodyType::Multipart), Value::Object(fields)) => {
            for value in fields.values() {
                for item in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
                    look(item, &mut found, cx).await?;
                }
            }
        }
        _ => {}
    }
    let Some(first) = found.values().next() else { return Ok(None) };
    let (segments, content_type) = match (kind, body) {
        (Some(BodyType::Multipart), Value::Object(fields)) => multipart::segments(fields, &found)?,
        _ => (vec![Segment::File(first.clone())], first.media_type.clone()),
    };
    let length = segments.iter().map(Segment::length).sum();
    let Some(files) = cx.files.clone() else { return Ok(None) };
    let begin = Arc::new(move || {
        let files = files.clone();
        let pieces = segments.clone().into_iter().map(move |segment| pieces(segment, files.clone()));
        stream::iter(pieces).flatten().boxed()
    });
    Ok(Some((Streamed { length, begin }, content_type)))
}

/// The id in `{file: …}`.
pub(super) fn named(value: &Value) -> Option<&str> {
    value.as_object()?.get("file")?.as_str()
}

async fn look(value: &Value, found: &mut Found, cx: &Context) -> Result<(), Fault> {
    let Some(id) = named(value) else { return Ok(()) };
    if found.contains_key(id) {
        return Ok(());
    }
    let file: FileId = id.parse().map_err(|_| {
        let shown: String = id.chars().take(60).collect();
        Fault::invalid_params(format!("body: \"{shown}\" is no id of a file; give what a file step or an upload gave"))
    })?;
    found.insert(id.to_owned(), cx.files()?.find(file).await?);
    Ok(())
}

fn pieces(segment: Segment, files: Arc<dyn Files>) -> BoxStream<'static, Result<Bytes, std::io::Error>> {
    let value = match segment {
        Segment::Bytes(bytes) => return stream::iter([Ok(bytes)]).boxed(),
        Segment::File(value) => value,
    };
    let many = u32::try_from(value.size.div_ceil(FILE_CHUNK as u64)).unwrap_or(u32::MAX);
    stream::iter(0..many)
        .then(move |no| {
            let (files, value) = (files.clone(), value.clone());
            async move { files.read(&value, no).await.map(Bytes::from).map_err(std::io::Error::other) }
        })
        .boxed()
}

/// Writes an answer's body into a file; its value.
pub(super) async fn save(answer: &mut Answer, cx: &Context) -> Result<Value, Fault> {
    let media_type = Some(answer.media_type()).filter(|kind| !kind.is_empty());
    let new = NewFile { name: name_of(answer), media_type, expires_in_ms: None };
    let mut writer = cx.files()?.create(new).await?;
    while let Some(bytes) = answer.chunk().await? {
        writer.write(&bytes).await?;
    }
    Ok(json!(writer.finish().await?))
}

/// As the service calls it, else the end of the address.
fn name_of(answer: &Answer) -> String {
    let said = answer.headers.get(header::CONTENT_DISPOSITION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let param = |wanted: &str| {
        said.as_deref()?.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let whole = param("filename*").and_then(|text| {
        let coded = text.to_ascii_lowercase().starts_with("utf-8''").then(|| text[7..].to_owned())?;
        url::form_urlencoded::parse(format!("n={}", coded.replace('+', "%2B")).as_bytes()).next().map(|(_, name)| name.into_owned())
    });
    let last = || answer.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
    whole.or_else(|| param("filename")).filter(|name| !name.is_empty()).unwrap_or_else(last)
}
