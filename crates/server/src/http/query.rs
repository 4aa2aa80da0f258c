//! Query parameters: read leniently as text, then field by field, so that each wrong one is named.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use mainspring_model::Problem as Finding;
use mainspring_model::store::Paging;
use serde::de::DeserializeOwned;

use super::problem::{Problem, Refusable};
use super::shape::Time;

/// The query as a struct of optional texts. Parameters that it does not name are none of its business.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Box<Problem>> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Query(query.0))
            .map_err(|rejection| Problem::malformed(format!("the query cannot be read: {}", rejection.body_text())))
    }
}

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// `?limit=1..200 (50)&cursor=…`.
pub fn paging(limit: Option<&str>, cursor: Option<String>) -> Refusable<Paging> {
    let limit = match limit {
        None | Some("") => DEFAULT_LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| wrong("limit", format!("\"{}\" is no number from 1 to {MAX_LIMIT}", shown(text))))?,
    };
    Ok(Paging { limit, cursor: cursor.filter(|cursor| !cursor.is_empty()) })
}

/// A moment in RFC 3339.
pub fn moment(name: &str, text: Option<&str>) -> Refusable<Option<i64>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match Time::parse(text) {
        Some(time) => Ok(Some(time.0)),
        None => Err(wrong(name, format!("\"{}\" is no RFC 3339 time, such as 2026-03-01T08:00:00Z", shown(text)))),
    }
}

/// An id of ours.
pub fn id<T: FromStr>(name: &str, text: Option<&str>) -> Refusable<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| wrong(name, format!("\"{}\" is no id", shown(text))))
}

/// A word of a closed list.
pub fn word<T>(name: &str, text: Option<&str>, known: &[(&str, T)]) -> Refusable<Option<T>>
where
    T: Clone,
{
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match known.iter().find(|(word, _)| *word == text) {
        Some((_, value)) => Ok(Some(value.clone())),
        None => {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            Err(wrong(name, format!("\"{}\" is none of {}", shown(text), words.join(", "))))
        }
    }
}

/// `true`, `1`, `yes` and the bare name are true.
pub fn flag(text: Option<&str>) -> bool {
    matches!(text, Some("" | "true" | "1" | "yes"))
}

pub fn wrong(name: &str, message: String) -> Box<Problem> {
    let finding = Finding::new("INVALID_REQUEST", name, message.clone());
    Problem::malformed(format!("{name}: {message}")).error(finding)
}

/// Enough of a caller's text to recognise it by.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
