//! Variables of an organization: plans read them as `org.NAME`. A secret one goes in and never comes out again.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::id::{UserId, VariableId};
use mainspring_model::store::{SealedRow, SealedTable, VariableRecord, VariableValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::Shared;
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathLast;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// A run is stored with the plain ones, so that they are few and small.
const MOST: usize = 200;
const MOST_BYTES: usize = 16 << 10;

#[derive(Serialize, ToSchema)]
#[schema(as = Variable)]
pub struct VariableBody {
    #[schema(example = "REGION")]
    name: String,
    secret: bool,
    /// Of a plain one. A secret is never returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// Who wrote it last.
    updated_by: Id,
    created_at: Time,
    updated_at: Time,
}

impl From<VariableRecord> for VariableBody {
    fn from(record: VariableRecord) -> VariableBody {
        let (secret, value) = match record.value {
            VariableValue::Plain(value) => (false, Some(value)),
            VariableValue::Secret(_) => (true, None),
        };
        VariableBody {
            name: record.name,
            secret,
            value,
            updated_by: UserId::into(record.user),
            created_at: Time(record.created_at),
            updated_at: Time(record.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct VariableList {
    variables: Vec<VariableBody>,
}

#[derive(Serialize, ToSchema)]
pub struct VariableAnswer {
    variable: VariableBody,
}

/// The variables of an organization; secrets without their values
#[utoipa::path(get, path = "/api/organizations/{id}/variables", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = VariableList)))]
pub async fn list_variables(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let records = api.store.list_variables(caller.owner.org).await?;
    Ok(Reply::ok(&VariableList { variables: records.into_iter().map(VariableBody::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableWrite {
    /// Any JSON; of a secret, text.
    #[schema(example = json!("eu-central"))]
    value: Value,
    /// Sealed, opened at use, and never shown again.
    #[serde(default)]
    secret: bool,
}

/// Write a variable; one of that name is replaced
///
/// Runs that have started keep the plain values that they started with; a secret is read when a step uses it.
#[utoipa::path(put, path = "/api/organizations/{id}/variables/{name}", tag = "organizations", request_body = VariableWrite,
    params(("id" = String, Path), ("name" = String, Path)), responses((status = 200, body = VariableAnswer)))]
pub async fn put_variable(State(api): Shared, PathLast(name): PathLast<String>, write: Write<VariableWrite>) -> Refusable<Reply> {
    let (caller, wanted) = (write.caller, write.body);
    let org = caller.owner.org;
    if !is_name(&name) {
        let message = "a variable's name is a letter or _ followed by letters, digits and _, at most 64 in all";
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "name", message)));
    }
    let known = api.store.list_variables(org).await?;
    let before = known.iter().find(|one| one.name == name);
    if before.is_none() && known.len() >= MOST {
        return Err(Problem::conflict(format!("there are {MOST} variables, the most that an organization may have")));
    }
    if wanted.value.to_string().len() > MOST_BYTES {
        let message = format!("a value has at most {MOST_BYTES} bytes; keep larger ones in a file or a service");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/value", message)));
    }
    let id = VariableId(api.engine.new_id());
    let value = match (wanted.secret, wanted.value) {
        (false, value) => VariableValue::Plain(value),
        (true, Value::String(text)) if !text.is_empty() => {
            let sealed = api.engine.credentials().seal_value(SealedTable::Variables, org, None, id.0, text.as_bytes()).await?;
            VariableValue::Secret(sealed.bytes())
        }
        (true, _) => {
            let message = "a secret is text that is not empty";
            return Err(Problem::invalid(Finding::new("WRONG_TYPE", "/value", message).expected("text")));
        }
    };
    let before = before.map(shown);
    let new = VariableRecord { org, name, id, user: caller.owner.user, value, created_at: 0, updated_at: 0 };
    let record = api.store.put_variable(&new).await?;
    if let VariableValue::Secret(sealed) = &record.value {
        api.engine.credentials().written(&SealedRow::one(SealedTable::Variables, org, None, record.id.0, sealed.clone())).await?;
    }
    api.engine.variables_changed(org);
    api.audit(&caller, "put_variable", Target::new("variable", &record.name), before, Some(shown(&record)));
    Ok(Reply::json(StatusCode::OK, &VariableAnswer { variable: record.into() }))
}

/// For the audit log.
fn shown(record: &VariableRecord) -> Value {
    match &record.value {
        VariableValue::Plain(value) => json!({ "secret": false, "value": value }),
        VariableValue::Secret(_) => json!({ "secret": true }),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Delete a variable
#[utoipa::path(delete, path = "/api/organizations/{id}/variables/{name}", tag = "organizations",
    params(("id" = String, Path), ("name" = String, Path)), responses((status = 204)))]
pub async fn delete_variable(State(api): Shared, PathLast(name): PathLast<String>, caller: Caller) -> Refusable<Reply> {
    let org = caller.owner.org;
    let before = api.store.list_variables(org).await?.iter().find(|one| one.name == name).map(shown);
    if !api.store.delete_variable(org, &name).await? {
        return Err(Problem::not_found(format_args!("the variable \"{}\"", name.chars().take(64).collect::<String>())));
    }
    api.engine.variables_changed(org);
    api.audit(&caller, "delete_variable", Target::new("variable", &name), before, None);
    Ok(Reply::no_content())
}
