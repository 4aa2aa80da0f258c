//! Request bodies: bounded before they are read whole, JSON by declaration, and checked field by field.

use std::any::TypeId;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use mainspring_model::Problem as Finding;
use mainspring_model::problem::nearest;
use mainspring_model::value::pointer_join;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::Api;
use super::caller::Caller;
use super::idempotency::Once;
use super::problem::{Problem, Refusable};

/// A body must have arrived within this long, in milliseconds: a slow one holds memory.
const READ_WITHIN: i64 = 60_000;

/// How much of a refused body is read, and for how long, in milliseconds; then the connection closes.
const DISCARD_AT_MOST: usize = 64 << 20;
const DISCARD_WITHIN: i64 = 10_000;

/// A write: its caller, and its JSON body as `T`.
pub struct Write<T> {
    pub caller: Caller,
    pub body: T,
    /// The body as it was sent, for readers that report lines and columns.
    pub text: Bytes,
    /// Set when the write carries an `Idempotency-Key`.
    pub once: Option<Once>,
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Api>> for Write<T> {
    type Rejection = Box<Problem>;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Box<Problem>> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, api).await?;
        if !is_json(&parts.headers) {
            let detail = "the body must be JSON: send Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
        }
        let text = read(api, body).await?;
        let once = Once::of(&parts, &text)?;
        let body = typed(&without_user_id(api, &caller, parse(&text)?)?)?;
        Ok(Write { caller, body, text, once })
    }
}

/// A write that needs no body; one that comes may hold `user_id` and says nothing else.
pub struct BareWrite {
    pub caller: Caller,
}

impl FromRequest<Arc<Api>> for BareWrite {
    type Rejection = Box<Problem>;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Box<Problem>> {
        if !request.body().is_end_stream() {
            let Write { caller, .. } = Write::<Value>::from_request(request, api).await?;
            return Ok(BareWrite { caller });
        }
        let (mut parts, _) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, api).await?;
        Ok(BareWrite { caller })
    }
}

/// Reads a body to its end, counting. The edge has refused a declared length over the limit already.
pub async fn read(api: &Api, body: Body) -> Refusable<Bytes> {
    let until = api.clock.now() + READ_WITHIN;
    // Made only when the body is not there yet, which costs nothing for most.
    let late = async { api.clock.sleep_until(until).await };
    match select(pin!(collect(body, api.mode.max_body)), pin!(late)).await {
        Either::Left((Collected::Whole(bytes), _)) => Ok(bytes),
        Either::Left((Collected::TooLarge(rest), _)) => {
            discard(api, rest);
            Err(too_large(api.mode.max_body))
        }
        Either::Left((Collected::Broken, _)) => Err(Problem::malformed("the body broke off")),
        Either::Right(((), _)) => {
            let detail = format!("the body did not arrive within {} s", READ_WITHIN / 1_000);
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail))
        }
    }
}

enum Collected {
    Whole(Bytes),
    /// With what has not been read of it.
    TooLarge(Body),
    Broken,
}

async fn collect(mut body: Body, limit: usize) -> Collected {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Collected::Broken };
        let Ok(data) = frame.into_data() else { continue };
        let size = rest.as_ref().map_or(first.len(), BytesMut::len) + data.len();
        if size > limit {
            return Collected::TooLarge(body);
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut all = BytesMut::with_capacity(size * 2);
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                rest = Some(all);
            }
        }
    }
    Collected::Whole(rest.map_or(first, BytesMut::freeze))
}

/// Reads the rest of a refused body beside the answer, and forgets it. Most clients send all of a body before they look for
/// an answer: if the connection closed under them they would learn that it broke, and never why.
pub fn discard(api: &Api, mut body: Body) {
    let (clock, until) = (api.clock.clone(), api.clock.now() + DISCARD_WITHIN);
    tokio::spawn(async move {
        let rest = async {
            let mut left = DISCARD_AT_MOST;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        select(pin!(rest), clock.sleep_until(until)).await;
    });
}

pub fn too_large(limit: usize) -> Box<Problem> {
    let most = if limit.is_multiple_of(1 << 20) { format!("{} MiB", limit >> 20) } else { format!("{limit} bytes") };
    let detail = format!("the body is larger than {most}, the most that this server takes; send less, or raise MAINSPRING_MAX_BODY");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", detail)
}

/// Refuses a body that is packed: what it would unpack to is not known before, and no caller needs it.
pub fn unpacked(headers: &HeaderMap) -> Refusable<()> {
    let plain =
        |value: &HeaderValue| value.to_str().is_ok_and(|coding| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity"));
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let detail = "packed bodies are not taken: send it without Content-Encoding";
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail);
    Err(problem.header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

/// `application/json`, whatever its parameters.
pub fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

/// `text/csv` of `text/csv; charset=utf-8`.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim).filter(|kind| !kind.is_empty())
}

/// JSON, or 400 with line and column.
pub fn parse(text: &[u8]) -> Refusable<Value> {
    let read = match std::str::from_utf8(text) {
        Ok(text) => mainspring_model::value::from_json(text),
        Err(_) => serde_json::from_slice(text),
    };
    read.map_err(|error| {
        let (line, column) = (u32::try_from(error.line()).unwrap_or(u32::MAX), u32::try_from(error.column()).unwrap_or(u32::MAX));
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or("it cannot be read");
        let reason = match said {
            _ if text.trim_ascii().is_empty() => "it is empty",
            // serde_json's name for it is about itself.
            "recursion limit exceeded" => "lists and objects stand too deep in each other",
            said => said,
        };
        let finding = Finding::new("SYNTAX", "", reason).at(line, column);
        let mut problem = Problem::malformed(format!("the body is no JSON: {reason} at line {line}, column {column}"));
        problem.code = "SYNTAX".into();
        problem.error(finding)
    })
}

fn without_user_id(api: &Api, caller: &Caller, mut body: Value) -> Refusable<Value> {
    if let Some(user) = body.as_object_mut().and_then(|fields| fields.shift_remove("user_id")) {
        match &user {
            Value::Null => {}
            Value::String(user) => caller.is(api, user)?,
            other => caller.is(api, &other.to_string())?,
        }
    }
    Ok(body)
}

/// The value as `T`; 422 with the field's pointer otherwise.
pub fn typed<T: DeserializeOwned + 'static>(value: &Value) -> Refusable<T> {
    // serde would read a struct from a list too, by position. A plan may come as a list, and is read by its own reader.
    if !value.is_object() && TypeId::of::<T>() != TypeId::of::<Value>() {
        let message = format!("the body must be an object, found {}", found(value));
        return Err(Problem::invalid(Finding::new("WRONG_TYPE", "", message).expected("an object")));
    }
    T::deserialize(value).map_err(|error| Problem::invalid(misfit(&error.to_string(), || path_of::<T>(value))))
}

/// Asks again where a value did not fit: serde tells the path only when it is followed, which is not free.
fn path_of<T: DeserializeOwned>(value: &Value) -> Option<String> {
    let rejection = axum::Json::<T>::from_bytes(value.to_string().as_bytes()).err()?;
    let said = rejection.body_text();
    let (_, rest) = said.split_once("target type: ")?;
    let (path, _) = rest.split_once(": ")?;
    Some(path.to_owned())
}

fn misfit(said: &str, path: impl FnOnce() -> Option<String>) -> Finding {
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or_default().to_owned();
    if said.starts_with("missing field") {
        let name = quoted(said);
        return Finding::new("MISSING_FIELD", "", format!("\"{name}\" is missing")).expected(name);
    }
    if said.starts_with("unknown field") {
        let name = quoted(said);
        let known: Vec<&str> = said.split('`').skip(3).step_by(2).collect();
        let near = nearest(&name, known.iter().copied());
        let message = near.map_or_else(
            || format!("there is no field \"{name}\""),
            |near| format!("there is no field \"{name}\"; did you mean \"{near}\"?"),
        );
        let finding = Finding::new("UNKNOWN_FIELD", pointer_join("", &name), message).expected(known.join(", "));
        return near.map_or_else(|| finding.clone(), |near| finding.clone().fix(near));
    }
    let pointer = path().filter(|path| path != ".").map(|path| pointer_of(&path)).unwrap_or_default();
    Finding::new("WRONG_TYPE", pointer, in_our_words(said))
}

/// `steps[0].id` as `/steps/0/id`.
fn pointer_of(path: &str) -> String {
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| pointer_join(&pointer, part))
}

/// `invalid type: integer `7`, expected a string` as users read types. The value itself is not repeated: it may be a secret.
fn in_our_words(said: &str) -> String {
    let said = said.split(" at line ").next().unwrap_or(said);
    let Some((found, wanted)) = said.split_once(": ").and_then(|(_, rest)| rest.rsplit_once(", expected ")) else {
        return "this does not fit".to_owned();
    };
    let wanted = match wanted {
        "a string" => "text",
        "a map" => "an object",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other => other,
    };
    let found = match found.split([' ', '`', '"']).next().unwrap_or_default() {
        "string" | "character" => "text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "map" => "an object",
        "sequence" => "a list",
        "unit" | "null" | "Option" => "null",
        _ => "something else",
    };
    format!("this must be {wanted}, found {found}")
}

/// A value's type with its article.
pub fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
