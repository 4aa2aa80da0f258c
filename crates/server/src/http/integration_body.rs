//! A custom integration as callers read and write it.

use mainspring_model::store::IntegrationRecord;
use mainspring_providers::custom::Definition;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::shape::{Id, Time};

/// A user's own provider. In plans it is `custom_<id>`.
#[derive(Serialize, ToSchema)]
#[schema(as = Integration)]
pub struct IntegrationBody {
    id: Id,
    /// The provider's name in plans: `custom_<id>`.
    provider: String,
    created_at: Time,
    updated_at: Time,
    /// The definition's fields, as in IntegrationWrite.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    definition: Map<String, Value>,
}

impl From<IntegrationRecord> for IntegrationBody {
    fn from(record: IntegrationRecord) -> IntegrationBody {
        let definition = match record.definition {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        IntegrationBody {
            id: record.id.into(),
            provider: Definition::provider_id(record.id),
            created_at: Time(record.created_at),
            updated_at: Time(record.updated_at),
            definition,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct IntegrationList {
    pub integrations: Vec<IntegrationBody>,
}

#[derive(Serialize, ToSchema)]
pub struct IntegrationAnswer {
    pub integration: IntegrationBody,
}

/// What an integration is made of. Read by its provider, which knows every field; this type is for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct IntegrationWrite {
    /// Unique among the caller's.
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    /// Also read from `oauth_config`.
    #[schema(example = "https://api.example.com/v1")]
    base_url: String,
    /// `api_key` (unless written), `oauth` or `none`.
    auth_type: Option<String>,
    /// `Authorization` unless written.
    auth_header: Option<String>,
    /// `Bearer` unless written; empty for nothing.
    auth_prefix: Option<String>,
    actions: Vec<IntegrationAction>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct IntegrationAction {
    /// Its name in plans.
    #[schema(example = "list_items")]
    id: String,
    /// Its title.
    name: Option<String>,
    /// `GET` unless written.
    method: Option<String>,
    /// A path below the base address; `{order_id}` is filled from that param.
    endpoint: String,
    description: Option<String>,
    /// Name → schema, or a list of names.
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegrationCredential {
    /// `api_key`, or `oauth_token` for an integration that logs in so.
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
    /// `default` unless written.
    pub name: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct IntegrationCredentialStored {
    pub message: &'static str,
    pub credential_id: Id,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegrationTest {
    /// A path below the base address.
    pub endpoint: String,
    /// `GET` unless written.
    pub method: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub query: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub headers: Option<Value>,
    pub body: Option<Value>,
}

#[derive(Serialize, ToSchema)]
pub struct IntegrationTested {
    /// `success` or `failed`.
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error_detail: Option<Value>,
}
