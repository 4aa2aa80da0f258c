//! What steps can do: the providers that the caller sees, with their actions.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use mainspring_model::action::{ActionSpec, Effect, ParamKind};
use mainspring_model::catalog::{Catalog, Provider};
use mainspring_model::credential::CredentialField;
use mainspring_model::problem::nearest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reply::Reply;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `true` lists titles, categories and action names too.
    #[param(value_type = Option<bool>)]
    detail: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ProviderListing {
    /// Sorted ids.
    Ids(Vec<String>),
    /// With `detail`.
    Detail(ProviderList),
}

#[derive(Serialize, ToSchema)]
pub struct ProviderList {
    total: usize,
    providers: Vec<ProviderEntry>,
}

#[derive(Serialize, ToSchema)]
pub struct ProviderEntry {
    name: String,
    title: String,
    category: String,
    version: u32,
    description: String,
    actions: Vec<String>,
}

/// The ids of all providers, sorted
///
/// With `?detail=true` an object instead: `{total, providers: [{name, title, category, version, description, actions}]}`.
#[utoipa::path(get, path = "/api/providers", tag = "providers", params(ListQuery), responses(
    (status = 200, description = "Ids; with `detail`, an object.", body = ProviderListing, example = json!(["http", "logic", "openai"])),
))]
pub async fn list_providers(State(api): Shared, caller: Caller, Query(query): Query<ListQuery>) -> Reply {
    let ids = api.catalog.ids(&caller.owner);
    if !query::flag(query.detail.as_deref()) {
        return Reply::ok(&ProviderListing::Ids(ids));
    }
    let providers: Vec<ProviderEntry> =
        ids.iter().filter_map(|id| api.catalog.provider(&caller.owner, id)).map(|provider| entry(&provider)).collect();
    Reply::ok(&ProviderListing::Detail(ProviderList { total: providers.len(), providers }))
}

fn entry(provider: &Provider) -> ProviderEntry {
    ProviderEntry {
        name: provider.id.clone(),
        title: provider.title.clone(),
        category: provider.category.clone(),
        version: provider.version,
        description: provider.description.clone(),
        actions: provider.action_names(),
    }
}

/// One provider with everything that a form needs.
#[derive(Serialize, ToSchema)]
pub struct ProviderBody {
    name: String,
    title: String,
    category: String,
    version: u32,
    description: String,
    credential_fields: Vec<CredentialFieldBody>,
    actions: Vec<ActionBody>,
    /// Earlier action name → name of today.
    aliases: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialFieldBody {
    name: String,
    title: String,
    required: bool,
    /// Hidden in forms; every value is sealed, secret or not.
    secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl From<&CredentialField> for CredentialFieldBody {
    fn from(field: &CredentialField) -> CredentialFieldBody {
        let CredentialField { name, title, required, secret, help } = field.clone();
        CredentialFieldBody { name, title, required, secret, help }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ActionBody {
    name: String,
    title: String,
    description: String,
    /// What repeating it can do: `read`, `idempotent`, `keyed` or `write`.
    #[schema(value_type = String)]
    effect: Effect,
    needs_credential: bool,
    /// JSON Schema.
    #[schema(value_type = Object)]
    params: Value,
    /// JSON Schema, when it is known.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// Params that are no plain templates: `literal`, `per_item`, `per_item_template`.
    #[schema(value_type = BTreeMap<String, String>)]
    param_kinds: BTreeMap<String, ParamKind>,
    /// Params that work.
    #[schema(value_type = Object)]
    example: Value,
}

impl From<&ActionSpec> for ActionBody {
    fn from(spec: &ActionSpec) -> ActionBody {
        ActionBody {
            name: spec.name.clone(),
            title: spec.title.clone(),
            description: spec.description.clone(),
            effect: spec.effect,
            needs_credential: spec.needs_credential,
            params: spec.params.clone(),
            output: spec.output.clone(),
            param_kinds: spec.param_kinds.clone(),
            example: spec.example.clone(),
        }
    }
}

/// One provider: its actions with JSON Schemas and an example each, and its credential's fields
#[utoipa::path(get, path = "/api/providers/{id}", tag = "providers", params(("id" = String, Path, example = "http")), responses((status = 200, body = ProviderBody)))]
pub async fn get_provider(State(api): Shared, caller: Caller, PathName(id): PathName) -> Refusable<Reply> {
    let provider = find(&api, &caller, &id)?;
    Ok(Reply::ok(&ProviderBody {
        name: provider.id.clone(),
        title: provider.title.clone(),
        category: provider.category.clone(),
        version: provider.version,
        description: provider.description.clone(),
        credential_fields: provider.credential.iter().map(CredentialFieldBody::from).collect(),
        actions: provider.actions.iter().map(|action| ActionBody::from(action.spec())).collect(),
        aliases: provider.aliases.clone(),
    }))
}

/// A provider by id, or 404 with the one that was perhaps meant.
pub fn find(api: &Api, caller: &Caller, id: &str) -> Refusable<Arc<Provider>> {
    if let Some(provider) = api.catalog.provider(&caller.owner, id) {
        return Ok(provider);
    }
    let ids = api.catalog.ids(&caller.owner);
    let shown: String = id.chars().take(100).collect();
    let detail = match nearest(&shown, ids.iter().map(String::as_str)) {
        Some(near) => format!("there is no provider \"{shown}\"; did you mean \"{near}\"?"),
        None => format!("there is no provider \"{shown}\"; GET /api/providers lists them"),
    };
    Err(Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_PROVIDER", detail))
}
