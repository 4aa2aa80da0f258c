//! What plans remember between runs, for people: look at it, and mend it.

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::id::PlanId;
use mainspring_model::state::{MAX_KEY, MAX_KEYS_OF_ORGANIZATION, MAX_KEYS_OF_PLAN, MAX_VALUE};
use mainspring_model::store::{StateRecord, StateSpace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathName;
use super::plans::find;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reach::demand_edit;
use super::reply::Reply;
use super::shape::Time;

#[derive(Deserialize, IntoParams)]
pub struct ListQuery {
    /// The plan whose state it is; the organization's own without it.
    #[param(format = "uuid")]
    plan_id: Option<String>,
    /// Only keys that begin so.
    prefix: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
pub struct SpaceQuery {
    /// The plan whose state it is; the organization's own without it.
    #[param(format = "uuid")]
    plan_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct StateValue {
    #[schema(example = "cursor")]
    key: String,
    value: Value,
    updated_at: Time,
    /// When it is forgotten; null: never.
    expires_at: Option<Time>,
}

impl From<StateRecord> for StateValue {
    fn from(record: StateRecord) -> StateValue {
        let StateRecord { key, value, updated_at, expires_at } = record;
        StateValue { key, value, updated_at: Time(updated_at), expires_at: expires_at.map(Time) }
    }
}

/// What `state.unseen` remembers: the items themselves are not kept.
#[derive(Serialize, ToSchema)]
pub struct StateSetShown {
    #[schema(example = "articles")]
    set: String,
    items: u64,
}

#[derive(Serialize, ToSchema)]
pub struct StateList {
    state: Vec<StateValue>,
    /// The sets of `state.unseen`; on the first page only.
    sets: Vec<StateSetShown>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct StateAnswer {
    state: StateValue,
}

#[derive(Serialize, ToSchema)]
pub struct StateForgotten {
    /// Items that the set had.
    items: u64,
}

/// The space of a query; a plan that the caller does not see is not found, one that is not theirs to change is refused.
async fn space(api: &Api, caller: &Caller, plan: Option<&str>, writes: bool) -> Refusable<StateSpace> {
    let plan = query::id::<PlanId>("plan_id", plan)?;
    if let Some(plan) = plan {
        find(api, caller, plan).await?;
        if writes {
            demand_edit(api, caller, plan).await?;
        }
    }
    Ok(StateSpace { org: caller.owner.org, plan })
}

fn checked(key: String) -> Refusable<String> {
    if key.trim().is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
        let message = format!("a key has 1 to {MAX_KEY} bytes and no control characters");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "key", message)));
    }
    Ok(key)
}

fn missing(key: &str) -> Box<Problem> {
    Problem::not_found(format_args!("a value under \"{}\"", key.chars().take(64).collect::<String>()))
}

/// What a plan, or the organization, remembers between runs
///
/// By key. Values are shown as plans see them.
#[utoipa::path(get, path = "/api/state", tag = "state", params(ListQuery), responses((status = 200, body = StateList)))]
pub async fn list_state(State(api): Shared, caller: Caller, Query(asked): Query<ListQuery>) -> Refusable<Reply> {
    let space = space(&api, &caller, asked.plan_id.as_deref(), false).await?;
    let paging = query::paging(asked.limit.as_deref(), asked.cursor)?;
    let wrong = || Problem::invalid(Finding::new("INVALID_VALUE", "cursor", "the cursor is not one that this list gave"));
    let after = match &paging.cursor {
        Some(cursor) => {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
            Some(String::from_utf8(bytes).map_err(|_| wrong())?)
        }
        None => None,
    };
    let mut prefix = asked.prefix.unwrap_or_default();
    prefix.retain(|letter| !letter.is_control());
    let sets = if after.is_none() { api.store.list_state_sets(space).await? } else { Vec::new() };
    let records = api.store.list_state(space, &prefix, after.as_deref(), paging.limit).await?;
    let full = records.len() == paging.limit as usize;
    let next_cursor = records.last().filter(|_| full).map(|last| URL_SAFE_NO_PAD.encode(&last.key));
    let sets = sets.into_iter().filter(|set| set.name.starts_with(&prefix));
    Ok(Reply::ok(&StateList {
        state: records.into_iter().map(StateValue::from).collect(),
        sets: sets.map(|set| StateSetShown { set: set.name, items: set.items }).collect(),
        next_cursor,
    }))
}

/// One value that is remembered between runs
#[utoipa::path(get, path = "/api/state/{key}", tag = "state", params(("key" = String, Path), SpaceQuery),
    responses((status = 200, body = StateAnswer)))]
pub async fn get_state(State(api): Shared, caller: Caller, PathName(key): PathName, Query(asked): Query<SpaceQuery>) -> Refusable<Reply> {
    let space = space(&api, &caller, asked.plan_id.as_deref(), false).await?;
    match api.store.state(space, &key).await? {
        Some(record) => Ok(Reply::ok(&StateAnswer { state: record.into() })),
        None => Err(missing(&key)),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// Any JSON, at most 256 KiB.
    #[schema(example = json!("2026-02-01T00:00:00Z"))]
    value: Value,
    /// How long it is kept, such as `30d`; for ever when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "30d")]
    ttl: Value,
}

/// Write a value by hand; what stood there is replaced
///
/// Runs that go on see it at their next look. A run that changed the same key and has yet to succeed writes over it.
#[utoipa::path(put, path = "/api/state/{key}", tag = "state", request_body = StateBody, params(("key" = String, Path), SpaceQuery),
    responses((status = 200, body = StateAnswer)))]
pub async fn put_state(
    State(api): Shared,
    PathName(key): PathName,
    Query(asked): Query<SpaceQuery>,
    write: Write<StateBody>,
) -> Refusable<Reply> {
    let (caller, StateBody { value, ttl }) = (write.caller, write.body);
    let (space, key) = (space(&api, &caller, asked.plan_id.as_deref(), true).await?, checked(key)?);
    let size = value.to_string().len();
    if size > MAX_VALUE {
        let message = format!("a value has at most {MAX_VALUE} bytes; this one has {size}");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/value", message)));
    }
    let now = api.store.now().await?;
    let expires_at = if ttl.is_null() {
        None
    } else {
        let wrong = |said: String| Problem::invalid(Finding::new("INVALID_VALUE", "/ttl", said));
        let length = mainspring_model::duration::parse(&ttl).map_err(wrong)?;
        Some(now.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    };
    let most = if space.plan.is_some() { MAX_KEYS_OF_PLAN } else { MAX_KEYS_OF_ORGANIZATION };
    if api.store.state(space, &key).await?.is_none() && api.store.count_state(space, most).await? >= most {
        return Err(Problem::conflict(format!("there are {most} keys, the most that there may be; delete some first")));
    }
    let record = StateRecord { key, value, updated_at: now, expires_at };
    let before = api.store.put_state(space, &record).await?;
    api.audit(&caller, "put_state", Target::new("state", &record.key), before.map(|old| shown(&old)), Some(shown(&record)));
    Ok(Reply::json(StatusCode::OK, &StateAnswer { state: record.into() }))
}

/// For the audit log: what happened, and the size of what was there. Values may be as large as the log is meant to be small.
fn shown(record: &StateRecord) -> Value {
    json!({"bytes": record.value.to_string().len(), "expires_at": record.expires_at})
}

/// Forget a value
#[utoipa::path(delete, path = "/api/state/{key}", tag = "state", params(("key" = String, Path), SpaceQuery), responses((status = 204)))]
pub async fn delete_state(
    State(api): Shared,
    PathName(key): PathName,
    Query(asked): Query<SpaceQuery>,
    caller: Caller,
) -> Refusable<Reply> {
    let space = space(&api, &caller, asked.plan_id.as_deref(), true).await?;
    let Some(before) = api.store.delete_state(space, &key).await? else { return Err(missing(&key)) };
    api.audit(&caller, "delete_state", Target::new("state", &key), Some(shown(&before)), None);
    Ok(Reply::no_content())
}

/// Forget a set of `state.unseen`: every item is new again
#[utoipa::path(delete, path = "/api/state-sets/{key}", tag = "state", params(("key" = String, Path), SpaceQuery),
    responses((status = 200, body = StateForgotten)))]
pub async fn delete_state_set(
    State(api): Shared,
    PathName(key): PathName,
    Query(asked): Query<SpaceQuery>,
    caller: Caller,
) -> Refusable<Reply> {
    let space = space(&api, &caller, asked.plan_id.as_deref(), true).await?;
    let items = api.store.delete_state_set(space, &key).await?;
    if items == 0 {
        return Err(Problem::not_found(format_args!("the set \"{}\"", key.chars().take(64).collect::<String>())));
    }
    api.audit(&caller, "delete_state_set", Target::new("state", &key), Some(json!({ "items": items })), None);
    Ok(Reply::ok(&StateForgotten { items }))
}
