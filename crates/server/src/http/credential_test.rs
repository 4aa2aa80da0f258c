//! Whether a stored credential works: a call at the service that changes nothing, or an honest answer that there is none.

use axum::extract::State;
use mainspring_model::catalog::Verify;
use mainspring_model::fault::Class;
use mainspring_model::id::CredentialId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::Shared;
use super::body::Write;
use super::credential_items::usable;
use super::one_call::call_once;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::providers;
use super::reply::Reply;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialTest {
    /// For providers without a call of their own: an address, or the endpoint of an integration, that answers only to who is
    /// logged in. It is read with GET.
    url: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialTested {
    /// `ok`; `refused`: the service does not take it, or it may not be used; `failed`: the service could not be asked; `untestable`.
    status: &'static str,
    message: String,
    /// The fault's code.
    error: Option<String>,
}

/// Try a credential at its service
#[utoipa::path(post, path = "/api/credentials/{id}/test", tag = "providers", params(("id" = String, Path, format = "uuid")),
    request_body = CredentialTest, responses((status = 200, body = CredentialTested)))]
pub async fn test_credential(State(api): Shared, PathId(id): PathId<CredentialId>, write: Write<CredentialTest>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let record = usable(&api, &caller, id).await?;
    let provider = providers::find(&api, &caller, &record.provider)?;
    let untestable = |message: String| Ok(Reply::ok(&CredentialTested { status: "untestable", message, error: None }));
    let url = body.url.filter(|url| !url.trim().is_empty());
    let (action, params) = match (&provider.verify, url) {
        (None, _) => return untestable(format!("{} has no call that tells whether a credential works", provider.id)),
        (Some(Verify::Call(action)), _) => (action.clone(), json!({})),
        (Some(Verify::Address { .. }), None) => {
            return untestable(format!("{} has no address of its own; send one in \"url\" that asks for the credential", provider.id));
        }
        (Some(Verify::Address { action, param }), Some(url)) => {
            let action = provider.action(action).ok_or_else(|| Problem::internal("a provider that cannot verify as it says"))?;
            let mut params = json!({"method": "GET"});
            params[*param] = Value::String(url);
            (action.clone(), params)
        }
    };
    let done = match api.engine.credentials().open_this(&provider, &record).await {
        Ok(credential) => call_once(&api, caller.owner, &*action, params, Some(credential)).await,
        Err(fault) => Err(fault),
    };
    Ok(Reply::ok(&match done {
        Ok(output) => CredentialTested { status: "ok", message: output.message, error: None },
        Err(fault) => CredentialTested {
            status: if fault.class == Class::Auth { "refused" } else { "failed" },
            error: Some(fault.code.to_string()),
            message: fault.message,
        },
    }))
}
