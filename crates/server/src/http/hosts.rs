//! The outside hosts that are held back because they fail, or asked to be left alone: to see, and to let in again.

use axum::extract::State;
use mainspring_providers::egress::HostState;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Shared;
use super::body::BareWrite;
use super::caller::Caller;
use super::path::PathName;
use super::problem::Refusable;
use super::reply::Reply;
use super::shape::Time;

#[derive(Serialize, ToSchema)]
pub struct HostList {
    /// Hosts whose last call failed, by name. One that answers is not in the list.
    hosts: Vec<HostEntry>,
    total: usize,
}

#[derive(Serialize, ToSchema)]
pub struct HostEntry {
    /// With the port when it is not the scheme's own.
    #[schema(example = "api.example.com")]
    host: String,
    /// `closed`: calls go out. `open`: they are turned away. `half_open`: one may find out. `waiting`: the service asked for a pause.
    #[schema(example = "open")]
    state: &'static str,
    /// In a row, up to now.
    failures: u32,
    /// The code of the last one.
    last_error: Option<String>,
    opened_at: Option<Time>,
    /// When a call goes out again.
    next_try_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub struct HostReset {
    host: String,
    /// Whether anything was known of it.
    was_known: bool,
}

impl From<HostState> for HostEntry {
    fn from(seen: HostState) -> HostEntry {
        let HostState { host, state, failures, last_error, opened_at, next_try, .. } = seen;
        HostEntry {
            host,
            state: state.as_str(),
            failures,
            last_error: last_error.map(|code| code.to_string()),
            opened_at: opened_at.map(Time),
            next_try_at: next_try.map(Time),
        }
    }
}

/// Outside hosts that fail
///
/// As this node knows them, for the caller's organization: each node finds out for itself.
#[utoipa::path(get, path = "/api/hosts", tag = "egress", responses((status = 200, body = HostList)))]
pub async fn list_hosts(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let seen = api.egress.breaker().hosts(Some(caller.owner.org), api.clock.now());
    let hosts: Vec<HostEntry> = seen.into_iter().map(HostEntry::from).collect();
    Ok(Reply::ok(&HostList { total: hosts.len(), hosts }))
}

/// Let calls to a host out again
#[utoipa::path(post, path = "/api/hosts/{host}/reset", tag = "egress", params(("host" = String, Path)), responses((status = 200, body = HostReset)))]
pub async fn reset_host(State(api): Shared, PathName(host): PathName, write: BareWrite) -> Refusable<Reply> {
    let was_known = api.egress.breaker().reset(write.caller.owner.org, &host);
    tracing::info!(host, was_known, "a host's circuit was reset");
    Ok(Reply::ok(&HostReset { host, was_known }))
}
