//! Ids in paths: text that is no id names nothing, so it is not found.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::problem::Problem;

/// The path's one id.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Box<Problem>> {
        let text = first(parts, state).await?;
        text.parse().map(PathId).map_err(|_| Problem::not_found(format_args!("\"{}\"", text.chars().take(60).collect::<String>())))
    }
}

/// What the path ends with, where there is more than one value in it.
pub struct PathLast<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for PathLast<T> {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Box<Problem>> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|error| Problem::malformed(error.body_text()))?;
        let text = params.iter().last().map(|(_, value)| value.to_owned()).unwrap_or_default();
        text.parse().map(PathLast).map_err(|_| Problem::not_found(format_args!("\"{}\"", text.chars().take(60).collect::<String>())))
    }
}

/// The path's one name, as text.
pub struct PathName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Box<Problem>> {
        first(parts, state).await.map(PathName)
    }
}

async fn first<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Box<Problem>> {
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok(params.iter().next().map(|(_, value)| value.to_owned()).unwrap_or_default())
}
