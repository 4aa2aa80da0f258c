//! A plan's versions: which of them are kept.

use axum::extract::State;
use mainspring_model::id::PlanId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::Shared;
use super::caller::Caller;
use super::path::PathId;
use super::problem::Refusable;
use super::query::{self, Query, wrong};
use super::reply::Reply;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// 1–200, 50 unless written.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct VersionList {
    versions: Vec<VersionEntry>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct VersionEntry {
    version: u32,
    /// The version that new runs get.
    current: bool,
    name: String,
}

/// A plan's versions, newest first
///
/// An earlier version is kept as long as a run needs it.
#[utoipa::path(get, path = "/api/plans/{id}/versions", tag = "plans", params(("id" = String, Path, format = "uuid"), VersionQuery), responses((status = 200, body = VersionList)))]
pub async fn list_versions(
    State(api): Shared,
    caller: Caller,
    PathId(id): PathId<PlanId>,
    Query(query): Query<VersionQuery>,
) -> Refusable<Reply> {
    let paging = query::paging(query.limit.as_deref(), query.cursor)?;
    let current = super::plans::find(&api, &caller, id).await?.version;
    let newest = match paging.cursor {
        None => current,
        Some(cursor) => {
            cursor.parse().ok().filter(|version| *version <= current).ok_or_else(|| wrong("cursor", "it is not one of ours".to_owned()))?
        }
    };
    let mut versions = Vec::new();
    let mut next_cursor = None;
    for version in (1..=newest).rev() {
        if versions.len() == paging.limit as usize {
            next_cursor = Some(version.to_string());
            break;
        }
        if let Some(document) = api.store.plan_version(id, version).await? {
            let name = document["name"].as_str().unwrap_or_default().to_owned();
            versions.push(VersionEntry { version, current: version == current, name });
        }
    }
    Ok(Reply::ok(&VersionList { versions, next_cursor }))
}
