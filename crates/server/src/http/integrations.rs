//! Custom integrations: a user's own providers, their credentials, and a call to try them.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::action::Output;
use mainspring_model::fault::Fault;
use mainspring_model::id::IntegrationId;
use mainspring_model::store::IntegrationRecord;
use mainspring_providers::custom::{self, Definition};
use serde_json::{Map, Value, json};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::credentials::{self, CredentialWrite};
use super::idempotency::once;
use super::integration_body::{
    IntegrationAnswer, IntegrationBody, IntegrationCredential, IntegrationCredentialStored, IntegrationList, IntegrationTest,
    IntegrationTested, IntegrationWrite,
};
use super::one_call::call_once;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::providers;
use super::reply::Reply;

/// All custom integrations
#[utoipa::path(get, path = "/api/custom-integrations", tag = "providers", responses((status = 200, body = IntegrationList)))]
pub async fn list_integrations(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let records = api.store.list_integrations(caller.owner.org).await?;
    Ok(Reply::ok(&IntegrationList { integrations: records.into_iter().map(IntegrationBody::from).collect() }))
}

/// Create a custom integration: it becomes the provider `custom_<id>`
#[utoipa::path(post, path = "/api/custom-integrations", tag = "providers", request_body = IntegrationWrite,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = IntegrationAnswer)))]
pub async fn create_integration(State(api): Shared, write: Write<Value>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let id = IntegrationId(saving.engine.new_id());
        let definition = read(&saving, id, body)?;
        let now = saving.clock.now();
        let record = save(
            &saving,
            IntegrationRecord { id, owner: caller.owner, name: definition.0, definition: definition.1, created_at: now, updated_at: now },
        )
        .await?;
        saving.audit(&caller, "", Target::new("integration", id), None, Some(told(&record)));
        Ok(answer(StatusCode::CREATED, record).location(&format!("/api/custom-integrations/{id}")))
    })
    .await
}

/// One custom integration
#[utoipa::path(get, path = "/api/custom-integrations/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = IntegrationAnswer)))]
pub async fn get_integration(State(api): Shared, caller: Caller, PathId(id): PathId<IntegrationId>) -> Refusable<Reply> {
    Ok(answer(StatusCode::OK, find(&api, &caller, id).await?))
}

/// Replace a custom integration's definition
#[utoipa::path(put, path = "/api/custom-integrations/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")), request_body = IntegrationWrite, responses((status = 200, body = IntegrationAnswer)))]
pub async fn update_integration(State(api): Shared, PathId(id): PathId<IntegrationId>, write: Write<Value>) -> Refusable<Reply> {
    let known = find(&api, &write.caller, id).await?;
    let (name, definition) = read(&api, id, write.body)?;
    let before = told(&known);
    let record = save(&api, IntegrationRecord { name, definition, updated_at: api.clock.now(), ..known }).await?;
    api.audit(&write.caller, "", Target::new("integration", id), Some(before), Some(told(&record)));
    Ok(answer(StatusCode::OK, record))
}

/// Delete a custom integration and the caller's credentials for it
///
/// Plans that use it fail in those steps with `UNKNOWN_PROVIDER`.
#[utoipa::path(delete, path = "/api/custom-integrations/{id}", tag = "providers", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
pub async fn delete_integration(State(api): Shared, caller: Caller, PathId(id): PathId<IntegrationId>) -> Refusable<Reply> {
    let known = find(&api, &caller, id).await?;
    if !api.store.delete_integration(caller.owner.org, id).await? {
        return Err(missing(id));
    }
    api.audit(&caller, "", Target::new("integration", id), Some(told(&known)), None);
    api.catalog.remove(id);
    api.store.delete_credentials(&caller.owner, &Definition::provider_id(id), None).await?;
    Ok(Reply::no_content())
}

/// Store a credential for a custom integration
#[utoipa::path(post, path = "/api/custom-integrations/{id}/credentials", tag = "providers", params(("id" = String, Path, format = "uuid")), request_body = IntegrationCredential,
    responses((status = 201, body = IntegrationCredentialStored)))]
pub async fn put_integration_credential(
    State(api): Shared,
    PathId(id): PathId<IntegrationId>,
    write: Write<IntegrationCredential>,
) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    find(&api, &caller, id).await?;
    let provider = providers::find(&api, &caller, &Definition::provider_id(id))?;
    // The earlier system's word for what the provider calls its access token.
    let field = if body.kind == "oauth_token" { "access_token".to_owned() } else { body.kind };
    let mut values = Map::new();
    values.insert(field, Value::String(body.value));
    let wanted = CredentialWrite { credentials: values, name: body.name, expires_at: body.expires_at };
    let record = credentials::store(&api, &caller, &provider, wanted).await?;
    let stored = IntegrationCredentialStored { message: "the credential is stored", credential_id: record.id.into() };
    Ok(Reply::json(StatusCode::CREATED, &stored))
}

/// Try a custom integration with one request
///
/// Goes out as a step would: with the stored credential, and only where plans may reach.
#[utoipa::path(post, path = "/api/custom-integrations/{id}/test", tag = "providers", params(("id" = String, Path, format = "uuid")), request_body = IntegrationTest, responses(
    (status = 200, body = IntegrationTested),
    (status = 400, description = "The request failed.", body = IntegrationTested),
))]
pub async fn test_integration(State(api): Shared, PathId(id): PathId<IntegrationId>, write: Write<IntegrationTest>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    find(&api, &caller, id).await?;
    Ok(match send(&api, &caller, id, body).await? {
        Ok(output) => Reply::ok(&IntegrationTested {
            status: "success",
            status_code: output.metadata.get("status_code").cloned(),
            response: Some(output.value),
            error: None,
            error_detail: None,
        }),
        Err(fault) => Reply::json(
            StatusCode::BAD_REQUEST,
            &IntegrationTested {
                status: "failed",
                status_code: fault.code.http_status().map(Value::from),
                response: None,
                error: Some(fault.to_string()),
                error_detail: Some(fault.to_value()),
            },
        ),
    })
}

async fn send(api: &Api, caller: &Caller, id: IntegrationId, wanted: IntegrationTest) -> Refusable<Result<Output, Fault>> {
    let provider = providers::find(api, caller, &Definition::provider_id(id))?;
    let action = provider.action("request").ok_or_else(|| Problem::internal("an integration without \"request\""))?;
    let credential = match api.engine.credentials().open(&caller.owner, &provider, None).await {
        Ok(credential) => credential,
        Err(fault) => return Ok(Err(fault)),
    };
    let IntegrationTest { endpoint, method, query, headers, body } = wanted;
    let params = json!({"endpoint": endpoint, "method": method, "query": query, "headers": headers, "body": body});
    Ok(call_once(api, caller.owner, &**action, params, credential).await)
}

/// The definition's name, and its document as it is stored.
fn read(api: &Api, id: IntegrationId, body: Value) -> Refusable<(String, Value)> {
    let definition =
        Definition::from_value(body).map_err(|error| Problem::invalid(Finding::new("INVALID_INTEGRATION", "", error.to_string())))?;
    custom::provider(id, &definition, api.egress.clone()).map_err(Problem::invalid_all)?;
    let document = serde_json::to_value(&definition).map_err(Problem::internal)?;
    Ok((definition.name, document))
}

/// Stores it; plans can use it when this returns.
async fn save(api: &Api, record: IntegrationRecord) -> Refusable<IntegrationRecord> {
    api.store.put_integration(&record).await?;
    api.catalog.put(&record);
    Ok(record)
}

async fn find(api: &Api, caller: &Caller, id: IntegrationId) -> Refusable<IntegrationRecord> {
    let records = api.store.list_integrations(caller.owner.org).await?;
    records.into_iter().find(|record| record.id == id).ok_or_else(|| missing(id))
}

/// What the audit log says of an integration: where it leads, and nothing that may be secret.
fn told(record: &IntegrationRecord) -> Value {
    let part = |name: &str| record.definition.get(name).cloned().unwrap_or_default();
    json!({ "name": record.name, "base_url": part("base_url"), "auth_type": part("auth_type") })
}

fn missing(id: IntegrationId) -> Box<Problem> {
    Problem::not_found(format_args!("integration {id}"))
}

fn answer(status: StatusCode, record: IntegrationRecord) -> Reply {
    Reply::json(status, &IntegrationAnswer { integration: record.into() })
}
