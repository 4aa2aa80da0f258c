//! Credentials: values go in and never come out again.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::catalog::Provider;
use mainspring_model::clock::Millis;
use mainspring_model::credential::{Credential, CredentialField, Secret, is_note};
use mainspring_model::id::CredentialId;
use mainspring_model::oauth;
use mainspring_model::problem::nearest;
use mainspring_model::secret_reference::{self, Reference};
use mainspring_model::store::{CredentialRecord, DEFAULT_NAME};
use mainspring_model::value::pointer_join;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{Write, found};
use super::caller::Caller;
use super::idempotency::once;
use super::oauth_fields;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::providers;
use super::query::Query;
use super::reply::Reply;
use super::secret_references::noted;
use super::shape::Time;

/// A stored credential without its values.
#[derive(Serialize, ToSchema)]
#[schema(as = Credential)]
pub struct CredentialBody {
    name: String,
    /// Names of the fields that it has; values are never returned.
    fields: Vec<String>,
    /// Fields whose values are kept elsewhere, each with where: `env`, `file` or `vault`.
    references: BTreeMap<String, &'static str>,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
    /// Not expired, not to be connected again, and it opens with the server's key.
    valid: bool,
    /// Since when the service no longer takes the grant of an OAuth credential: somebody has to save new values.
    needs_reconnect: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub struct ProviderCredentials {
    provider: String,
    /// Names of all fields that are stored for the provider.
    credential_types: Vec<String>,
    credentials: Vec<CredentialBody>,
}

pub(super) async fn body_of(api: &Api, record: &CredentialRecord) -> CredentialBody {
    let expired = record.expires_at.is_some_and(|at| at <= api.clock.now());
    let opened = api.engine.credentials().open_record(record).await;
    let since = opened.as_ref().ok().and_then(|credential| credential.field(oauth::NEEDS_RECONNECT)?.parse::<i64>().ok());
    CredentialBody {
        name: record.name.clone(),
        fields: record.fields.keys().filter(|field| !is_note(field)).cloned().collect(),
        references: opened.as_ref().map(kinds).unwrap_or_default(),
        expires_at: record.expires_at.map(Time),
        last_used_at: record.last_used_at.map(Time),
        valid: !expired && since.is_none() && opened.is_ok(),
        needs_reconnect: since.map(|seconds| Time(seconds.saturating_mul(1_000))),
    }
}

fn kinds(credential: &Credential) -> BTreeMap<String, &'static str> {
    let read = |(field, text): (&str, &str)| Some((field.to_owned(), Reference::parse(text).ok()?.kind()));
    secret_reference::noted(&credential.fields).filter_map(read).collect()
}

/// A provider's credentials, without values
#[utoipa::path(get, path = "/api/provider-credentials/{provider}", tag = "providers", params(("provider" = String, Path)), responses((status = 200, body = ProviderCredentials)))]
pub async fn get_credentials(State(api): Shared, caller: Caller, PathName(provider): PathName) -> Refusable<Reply> {
    let provider = providers::find(&api, &caller, &provider)?;
    let records = api.store.list_credentials(&caller.owner, Some(&provider.id)).await?;
    let mut credential_types: Vec<String> = records.iter().flat_map(|record| record.fields.keys().cloned()).collect();
    credential_types.retain(|field| !is_note(field));
    credential_types.sort_unstable();
    credential_types.dedup();
    let mut credentials = Vec::with_capacity(records.len());
    for record in &records {
        credentials.push(body_of(&api, record).await);
    }
    Ok(Reply::ok(&ProviderCredentials { provider: provider.id.clone(), credential_types, credentials }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialWrite {
    /// Field → value. See the provider's `credential_fields`.
    #[schema(value_type = Object, example = json!({"api_key": "…"}))]
    pub credentials: Map<String, Value>,
    /// `default` unless written; steps name it in `credential`.
    pub name: Option<String>,
    /// After it, the credential reads as absent.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialStored {
    success: bool,
    provider: String,
    name: String,
}

/// Store a credential; one of that name is replaced
#[utoipa::path(post, path = "/api/provider-credentials/{provider}", tag = "providers", params(("provider" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = CredentialWrite, responses((status = 201, body = CredentialStored)))]
pub async fn put_credential(State(api): Shared, PathName(provider): PathName, write: Write<CredentialWrite>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let provider = providers::find(&saving, &caller, &provider)?;
        let name = store(&saving, &caller, &provider, body).await?.name;
        Ok(Reply::json(StatusCode::CREATED, &CredentialStored { success: true, provider: provider.id.clone(), name }))
    })
    .await
}

/// A credential as it was sent, once nothing is wrong with it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) fields: BTreeMap<String, Secret>,
    pub(super) expires_at: Option<Millis>,
}

pub(super) const NAME_RULE: &str = "a credential's name is plain text of up to 100 characters";

pub(super) fn is_name(name: &str) -> bool {
    let long = name.is_empty() || name.chars().count() > 100;
    !long && !name.contains("${") && !name.contains("{{") && !name.chars().any(char::is_control)
}

/// Checks a credential against its provider. What was found wrong before stands with what is found here.
pub(super) fn checked(provider: &Provider, wanted: CredentialWrite, now: Millis, mut findings: Vec<Finding>) -> Refusable<Entry> {
    let CredentialWrite { credentials: values, name, expires_at } = wanted;
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| DEFAULT_NAME.to_owned());
    if !is_name(&name) {
        findings.push(Finding::new("INVALID_VALUE", "/name", NAME_RULE));
    }
    let expires = expires_at.as_deref().filter(|text| !text.is_empty()).map(|text| Time::parse(text).map(|time| time.0));
    if expires == Some(None) {
        findings.push(Finding::new("INVALID_VALUE", "/expires_at", "this is no RFC 3339 time, such as 2026-03-01T08:00:00Z"));
    }
    let fields = fields_of(provider, values, false, now, &mut findings);
    if findings.is_empty() { Ok(Entry { name, fields, expires_at: expires.flatten() }) } else { Err(Problem::invalid_all(findings)) }
}

/// Checks a credential against its provider and seals it.
pub async fn store(api: &Api, caller: &Caller, provider: &Provider, wanted: CredentialWrite) -> Refusable<CredentialRecord> {
    let Entry { name, fields, expires_at } = checked(provider, wanted, api.clock.now(), Vec::new())?;
    let fields = noted(api, caller, fields)?;
    let id = CredentialId(api.engine.new_id());
    let stored = api.engine.credentials().put(id, caller.owner, &provider.id, &name, fields, expires_at).await?;
    api.audit(caller, "", Target::new("credential", stored.id), None, Some(told(&stored)));
    Ok(stored)
}

/// What the audit log says of a credential: everything but its values.
pub(super) fn told(record: &CredentialRecord) -> Value {
    let fields: Vec<&String> = record.fields.keys().filter(|field| !is_note(field)).collect();
    json!({
        "provider": record.provider, "name": record.name, "fields": fields, "hosts": record.hosts,
        "scope": if record.is_organizations() { "organization" } else { "personal" }, "shared_with": record.shared_with,
        "expires_at": record.expires_at.map(|at| Time(at).text()),
    })
}

/// `partly`: fields that are not given stay as they are.
pub(super) fn fields_of(
    provider: &Provider,
    values: Map<String, Value>,
    partly: bool,
    now: Millis,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Secret> {
    let known: Vec<&str> = provider.credential.iter().map(|field| field.name.as_str()).collect();
    let given: Vec<String> = values.keys().cloned().collect();
    let mut fields = BTreeMap::new();
    let mut refused = Vec::new();
    if known.is_empty() {
        findings.push(Finding::new("UNKNOWN_FIELD", "/credentials", format!("{} takes no credential", provider.id)));
        return fields;
    }
    for (name, value) in values {
        let pointer = pointer_join("/credentials", &name);
        if !known.contains(&name.as_str()) && !oauth_fields::known(provider).contains(&name.as_str()) {
            findings.push(unknown(&provider.id, &name, pointer, &known));
            continue;
        }
        match value {
            Value::Null => {}
            Value::String(text) => drop(fields.insert(name, Secret::new(text))),
            // A port, a switch: what is stored is text.
            Value::Number(_) | Value::Bool(_) => drop(fields.insert(name, Secret::new(value.to_string()))),
            other => {
                findings.push(
                    Finding::new("WRONG_TYPE", pointer, format!("\"{name}\" must be text, found {}", found(&other))).expected("text"),
                );
                refused.push(name);
            }
        }
    }
    oauth_fields::check(&mut fields, partly, now, findings);
    let missing = |field: &&CredentialField| {
        (!partly || given.contains(&field.name))
            && field.required
            && !refused.contains(&field.name)
            && fields.get(&field.name).is_none_or(|secret: &Secret| secret.expose().is_empty())
            && !oauth_fields::gives(provider, &field.name, &fields)
    };
    for field in provider.credential.iter().filter(missing) {
        let message = format!("{} needs \"{}\" ({})", provider.id, field.name, field.title);
        findings.push(Finding::new("MISSING_FIELD", pointer_join("/credentials", &field.name), message).expected(field.name.clone()));
    }
    if fields.is_empty() && findings.is_empty() {
        findings.push(Finding::new("MISSING_FIELD", "/credentials", "a credential needs at least one field").expected(known.join(", ")));
    }
    fields
}

fn unknown(provider: &str, name: &str, pointer: String, known: &[&str]) -> Finding {
    let near = nearest(name, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    let finding = Finding::new("UNKNOWN_FIELD", pointer, format!("a credential of {provider} has no field \"{name}\"{hint}"))
        .expected(known.join(", "));
    match near {
        Some(near) => finding.fix(near),
        None => finding,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// All of the provider's unless written.
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialsDeleted {
    success: bool,
    provider: String,
    deleted: u64,
}

/// Delete a provider's credentials, or the one that is named
#[utoipa::path(delete, path = "/api/provider-credentials/{provider}", tag = "providers", params(("provider" = String, Path), DeleteQuery), responses((status = 200, body = CredentialsDeleted)))]
pub async fn delete_credentials(
    State(api): Shared,
    caller: Caller,
    PathName(provider): PathName,
    Query(query): Query<DeleteQuery>,
) -> Refusable<Reply> {
    let name = query.name.filter(|name| !name.is_empty());
    // Not looked up in the catalogue: what belonged to a deleted integration can be deleted too.
    let deleted = api.store.delete_credentials(&caller.owner, &provider, name.as_deref()).await?;
    if deleted == 0 {
        let shown: String = provider.chars().take(100).collect();
        return Err(Problem::not_found(format_args!("a credential of \"{shown}\"{}", name.map(|_| " with that name").unwrap_or_default())));
    }
    let before = json!({ "provider": provider, "name": name, "deleted": deleted });
    api.audit(&caller, "", Target::new("credential", &provider), Some(before), None);
    Ok(Reply::ok(&CredentialsDeleted { success: true, provider, deleted }))
}
