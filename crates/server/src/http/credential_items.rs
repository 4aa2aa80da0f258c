//! Credentials one by one: made for oneself or the whole organization, bound to hosts, shared with members, changed and removed.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::id::{CredentialId, Owner, UserId};
use mainspring_model::role::Permission;
use mainspring_model::store::{Access, CredentialChange, CredentialRecord};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::credential_checks::{changed_fields, check_hosts, members, want_hosts};
use super::credentials::{CredentialBody, CredentialWrite, body_of, checked, told};
use super::idempotency::once;
use super::path::PathId;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::providers;
use super::query::Query;
use super::reply::Reply;
use super::secret_references::{noted, noted_changes};
use super::shape::Time;

/// Whose a credential is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    Personal,
    Organization,
}

/// A stored credential without its values.
#[derive(Serialize, ToSchema)]
#[schema(as = CredentialItem)]
pub struct ItemBody {
    #[schema(value_type = String, format = "uuid")]
    id: CredentialId,
    provider: String,
    created_at: Time,
    #[serde(flatten)]
    credential: CredentialBody,
    scope: Scope,
    /// By what right the caller uses it: `own`, `shared` or `organization`.
    access: &'static str,
    /// The only hosts that it is sent to; null: the provider's own, where it has some.
    hosts: Option<Vec<String>>,
    /// Members who may use it beside its owner; told to who may change it.
    #[schema(value_type = Option<Vec<String>>)]
    shared_with: Option<Vec<UserId>>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialItems {
    credentials: Vec<ItemBody>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialAnswer {
    credential: ItemBody,
}

async fn item(api: &Api, caller: &Caller, record: &CredentialRecord) -> ItemBody {
    let access = match record.access(&caller.owner) {
        Some(Access::Shared) => "shared",
        Some(Access::Organization) => "organization",
        _ => "own",
    };
    ItemBody {
        id: record.id,
        provider: record.provider.clone(),
        created_at: Time(record.created_at),
        credential: body_of(api, record).await,
        scope: if record.is_organizations() { Scope::Organization } else { Scope::Personal },
        access,
        hosts: record.hosts.clone(),
        shared_with: may_change(caller, record).is_ok().then(|| record.shared_with.clone()),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only this provider's.
    provider: Option<String>,
}

/// All credentials that the caller may use, without values
#[utoipa::path(get, path = "/api/credentials", tag = "providers", params(ListQuery), responses((status = 200, body = CredentialItems)))]
pub async fn list_credentials(State(api): Shared, caller: Caller, Query(query): Query<ListQuery>) -> Refusable<Reply> {
    let provider = query.provider.filter(|provider| !provider.is_empty());
    let records = api.store.usable_credentials(&caller.owner, provider.as_deref()).await?;
    let mut credentials = Vec::with_capacity(records.len());
    for record in &records {
        credentials.push(item(&api, &caller, record).await);
    }
    Ok(Reply::ok(&CredentialItems { credentials }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialCreate {
    provider: String,
    /// Field → value. See the provider's `credential_fields`.
    #[schema(value_type = Object, example = json!({"api_key": "…"}))]
    credentials: Map<String, Value>,
    /// `default` unless written; steps name it in `credential`.
    name: Option<String>,
    /// After it, the credential reads as absent.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// `personal` unless written. The organization's need the permission `credential:manage`.
    #[serde(default)]
    scope: Scope,
    /// The only hosts that it is sent to: `api.example.com`, `localhost:8080`, `*.example.org`, or `*` for every host. Needed
    /// for what others may use, unless the provider has hosts of its own.
    hosts: Option<Vec<String>>,
}

/// Store a credential, one's own or the organization's; one of that name is replaced
#[utoipa::path(post, path = "/api/credentials", tag = "providers", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = CredentialCreate, responses((status = 201, body = CredentialAnswer)))]
pub async fn create_credential(State(api): Shared, write: Write<CredentialCreate>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let CredentialCreate { provider, credentials, name, expires_at, scope, hosts } = body;
        let provider = providers::find(&saving, &caller, &provider)?;
        if scope == Scope::Organization {
            caller.demand(Permission::CredentialManage)?;
        }
        let mut findings = Vec::new();
        check_hosts(hosts.as_deref(), &mut findings);
        if scope == Scope::Organization {
            want_hosts(&provider, hosts.as_deref(), &mut findings);
        }
        let entry = checked(&provider, CredentialWrite { credentials, name, expires_at }, saving.clock.now(), findings)?;
        let fields = noted(&saving, &caller, entry.fields)?;
        let user = if scope == Scope::Organization { UserId::NOBODY } else { caller.owner.user };
        let owner = Owner { org: caller.owner.org, user };
        let id = CredentialId(saving.engine.new_id());
        let credentials = saving.engine.credentials();
        let stored = credentials.put_bound(id, owner, &provider.id, &entry.name, fields, entry.expires_at, hosts).await?;
        saving.audit(&caller, "", Target::new("credential", stored.id), None, Some(told(&stored)));
        let answer = CredentialAnswer { credential: item(&saving, &caller, &stored).await };
        Ok(Reply::json(StatusCode::CREATED, &answer).location(&format!("/api/credentials/{}", stored.id)))
    })
    .await
}

/// A credential without its values
#[utoipa::path(get, path = "/api/credentials/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = CredentialAnswer)))]
pub async fn get_credential(State(api): Shared, caller: Caller, PathId(id): PathId<CredentialId>) -> Refusable<Reply> {
    let record = usable(&api, &caller, id).await?;
    Ok(Reply::ok(&CredentialAnswer { credential: item(&api, &caller, &record).await }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialPatch {
    name: Option<String>,
    /// Field → value, or null for a field that it loses; fields that are not named stay.
    #[schema(value_type = Option<Object>)]
    credentials: Option<Map<String, Value>>,
    /// Null: it never expires.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// Null: the provider's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    hosts: Option<Option<Vec<String>>>,
    /// The members who may use it from now on, by their ids.
    shared_with: Option<Vec<String>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(value).map(Some)
}

/// Change a credential; what is not named stays
#[utoipa::path(patch, path = "/api/credentials/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")),
    request_body = CredentialPatch, responses((status = 200, body = CredentialAnswer)))]
pub async fn update_credential(State(api): Shared, PathId(id): PathId<CredentialId>, write: Write<CredentialPatch>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let record = usable(&api, &caller, id).await?;
    may_change(&caller, &record)?;
    let provider = providers::find(&api, &caller, &record.provider)?;
    let CredentialPatch { name, credentials, expires_at, hosts, shared_with } = body;
    let mut findings = Vec::new();
    if let Some(hosts) = &hosts {
        check_hosts(hosts.as_deref(), &mut findings);
    }
    let shared_with = match shared_with {
        Some(ids) => Some(members(&api, &caller, &ids, &mut findings).await?),
        None => None,
    };
    if record.is_organizations() || !shared_with.as_ref().unwrap_or(&record.shared_with).is_empty() {
        let hosts = hosts.as_ref().unwrap_or(&record.hosts);
        want_hosts(&provider, hosts.as_deref(), &mut findings);
    }
    let given = changed_fields(&provider, credentials.unwrap_or_default(), api.clock.now(), &mut findings);
    let expires = match expires_at {
        Some(Some(text)) => Time::parse(&text).map_or_else(
            || {
                findings.push(Finding::new("INVALID_VALUE", "/expires_at", "this is no RFC 3339 time, such as 2026-03-01T08:00:00Z"));
                None
            },
            |time| Some(Some(time.0)),
        ),
        Some(None) => Some(None),
        None => None,
    };
    if let Some(name) = &name
        && !super::credentials::is_name(name)
    {
        findings.push(Finding::new("INVALID_VALUE", "/name", super::credentials::NAME_RULE));
    }
    if !findings.is_empty() {
        return Err(Problem::invalid_all(findings));
    }
    let given = noted_changes(&api, &caller, given)?;
    let change = CredentialChange { name, fields: None, expires_at: expires, hosts, shared_with };
    let changed = api.engine.credentials().change(&record, given, change).await?.ok_or_else(|| missing(id))?;
    api.audit(&caller, "", Target::new("credential", id), Some(told(&record)), Some(told(&changed)));
    Ok(Reply::ok(&CredentialAnswer { credential: item(&api, &caller, &changed).await }))
}

/// Remove a credential, with its shares
#[utoipa::path(delete, path = "/api/credentials/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")),
    responses((status = 204)))]
pub async fn delete_credential(State(api): Shared, caller: Caller, PathId(id): PathId<CredentialId>) -> Refusable<Reply> {
    let record = usable(&api, &caller, id).await?;
    may_change(&caller, &record)?;
    if !api.store.delete_credential(caller.owner.org, id).await? {
        return Err(missing(id));
    }
    api.audit(&caller, "", Target::new("credential", id), Some(told(&record)), None);
    Ok(Reply::no_content())
}

/// One that the caller may use; what they may not is not there.
pub(super) async fn usable(api: &Api, caller: &Caller, id: CredentialId) -> Refusable<CredentialRecord> {
    let records = api.store.usable_credentials(&caller.owner, None).await?;
    records.into_iter().find(|record| record.id == id).ok_or_else(|| missing(id))
}

fn may_change(caller: &Caller, record: &CredentialRecord) -> Refusable<()> {
    match record.access(&caller.owner) {
        Some(Access::Own) => Ok(()),
        Some(Access::Organization) => caller.demand(Permission::CredentialManage),
        _ => Err(denied("a credential that is shared is changed by its owner alone".to_owned())),
    }
}

fn missing(id: CredentialId) -> Box<Problem> {
    Problem::not_found(format_args!("credential {id}"))
}
