//! One's API keys: made with scopes and an end, shown once.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::ApiKeyId;
use mainspring_model::role::Permission;
use mainspring_model::scope::{READ, Scope, WRITE};
use mainspring_model::store::ApiKeyRecord;
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::api::Shared;
use crate::http::audit::Target;
use crate::http::body::Write;
use crate::http::caller::{By, Caller};
use crate::http::path::PathId;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::http::shape::Time;

#[derive(Serialize, ToSchema)]
pub struct ApiKeyList {
    api_keys: Vec<ApiKeyBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyBody {
    #[schema(value_type = String, format = "uuid")]
    id: String,
    name: String,
    /// Permissions, or the groups `read` and `write`; null for all that its user may.
    scopes: Option<Vec<String>>,
    created_at: Time,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
}

impl ApiKeyBody {
    fn of(record: ApiKeyRecord) -> ApiKeyBody {
        ApiKeyBody {
            id: record.id.to_string(),
            name: record.name,
            scopes: record.scopes,
            created_at: Time(record.created_at),
            expires_at: record.expires_at.map(Time),
            last_used_at: record.last_used_at.map(Time),
        }
    }
}

/// One's API keys in this organization, without the keys themselves
#[utoipa::path(get, path = "/api/auth/api-keys", tag = "accounts", responses((status = 200, body = ApiKeyList)))]
pub async fn list_api_keys(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    not_by_key(&caller)?;
    let keys = api.store.list_api_keys(caller.owner.org).await?;
    let mine = keys.into_iter().filter(|key| key.owner.user == caller.owner.user);
    Ok(Reply::ok(&ApiKeyList { api_keys: mine.map(ApiKeyBody::of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// To tell keys apart.
    #[schema(example = "ci")]
    name: String,
    /// What it may do, of what its user may: permissions such as `plan:view`, or `read` for all that only looks and `write` for all.
    /// Everything unless written.
    #[schema(example = json!(["plan:view", "run:start"]))]
    scopes: Option<Vec<String>>,
    /// For ever unless written.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ApiKeyMade {
    #[serde(flatten)]
    record: ApiKeyBody,
    /// Shown this once.
    key: String,
}

/// Make an API key that acts as oneself in this organization
#[utoipa::path(post, path = "/api/auth/api-keys", tag = "accounts", request_body = NewApiKey, responses((status = 201, body = ApiKeyMade)))]
pub async fn create_api_key(State(api): Shared, write: Write<NewApiKey>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    not_by_key(&caller)?;
    let now = api.clock.now();
    let mut findings = Vec::new();
    let name = body.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        findings.push(Finding::new("INVALID_VALUE", "/name", "a key's name is text of 1 to 100 characters"));
    }
    for (at, scope) in body.scopes.iter().flatten().enumerate() {
        if let Some(message) = wrong_scope(&caller, scope) {
            findings.push(Finding::new("INVALID_VALUE", format!("/scopes/{at}"), message));
        }
    }
    if body.scopes.as_ref().is_some_and(Vec::is_empty) {
        findings.push(Finding::new("INVALID_VALUE", "/scopes", "a key without any scope could do nothing; leave scopes out for all"));
    }
    let expires_at: Option<Millis> = match body.expires_at.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match Time::parse(text).map(|time| time.0) {
            Some(at) if at > now => Some(at),
            Some(_) => {
                findings.push(Finding::new("INVALID_VALUE", "/expires_at", "this moment is over, so the key would never work"));
                None
            }
            None => {
                findings.push(Finding::new("INVALID_VALUE", "/expires_at", "this is no RFC 3339 time, such as 2026-03-01T08:00:00Z"));
                None
            }
        },
    };
    if !findings.is_empty() {
        return Err(Problem::invalid_all(findings));
    }
    let token = Token::generate(Token::API_KEY, api.vault.entropy())?;
    let record = ApiKeyRecord {
        id: ApiKeyId(api.engine.new_id()),
        owner: caller.owner,
        name,
        hash: token.hash().0.to_vec(),
        created_at: now,
        expires_at,
        last_used_at: None,
        scopes: body.scopes,
    };
    api.store.put_api_key(&record).await?;
    api.audit(&caller, "", Target::new("api_key", record.id), None, Some(told(&record)));
    Ok(Reply::json(StatusCode::CREATED, &ApiKeyMade { record: ApiKeyBody::of(record), key: token.expose().to_owned() }))
}

/// What is wrong with a scope: no such name, or more than the caller may.
fn wrong_scope(caller: &Caller, scope: &str) -> Option<String> {
    if scope == READ || scope == WRITE {
        return None;
    }
    if Scope::of([scope]).is_err() {
        let known: Vec<&str> = Permission::ALL.iter().map(|one| one.as_str()).collect();
        return Some(format!("there is no such scope; there are read, write, {}", known.join(", ")));
    }
    let permission = Permission::ALL.iter().find(|one| one.as_str() == scope)?;
    (!caller.may(*permission)).then(|| format!("your role {} does not have {scope}, so a key cannot have it either", caller.role))
}

/// Delete one of one's API keys; it stops working within seconds
#[utoipa::path(delete, path = "/api/auth/api-keys/{id}", tag = "accounts", params(("id" = String, Path, format = "uuid")), responses((status = 204, description = "It is deleted.")))]
pub async fn delete_api_key(State(api): Shared, PathId(id): PathId<ApiKeyId>, caller: Caller) -> Refusable<Reply> {
    not_by_key(&caller)?;
    let keys = api.store.list_api_keys(caller.owner.org).await?;
    let mine = keys.iter().find(|key| key.id == id && key.owner.user == caller.owner.user);
    let key = mine.ok_or_else(|| Problem::not_found(format_args!("the API key {id}")))?;
    api.store.delete_api_key(caller.owner.org, id).await?;
    api.audit(&caller, "", Target::new("api_key", id), Some(told(key)), None);
    if let Ok(hash) = key.hash.as_slice().try_into() {
        api.keys.forget(&hash);
    }
    Ok(Reply::no_content())
}

fn told(record: &ApiKeyRecord) -> serde_json::Value {
    serde_json::json!({ "name": record.name, "scopes": record.scopes, "expires_at": record.expires_at.map(|at| Time(at).text()) })
}

/// A key that makes keys would outlive its own end.
fn not_by_key(caller: &Caller) -> Refusable<()> {
    match caller.by {
        By::Key(_) => caller.session().map(|_| ()),
        By::Session(_) | By::Dev => Ok(()),
    }
}
