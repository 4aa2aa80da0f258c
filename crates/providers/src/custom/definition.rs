//! A user's custom integration as it is stored: a base address, how it logs in, and its actions.

use mainspring_model::id::IntegrationId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `POST /api/custom-integrations` takes beside the names that the server keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Definition {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default)]
    pub description: String,
    pub base_url: String,
    #[serde(default)]
    pub auth_type: AuthType,
    #[serde(default = "authorization")]
    pub auth_header: String,
    /// Stands before the key; empty for nothing.
    #[serde(default = "bearer")]
    pub auth_prefix: String,
    #[serde(default)]
    pub actions: Vec<ActionDefinition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// The credential's `api_key` in the header.
    #[default]
    ApiKey,
    /// The credential's `access_token` in the header.
    Oauth,
    None,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActionDefinition {
    /// The action's name in plans: `list_items`.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub name: String,
    #[serde(default = "get")]
    pub method: String,
    /// A path below the base address; `{order_id}` is filled from the param of that name.
    pub endpoint: String,
    #[serde(default)]
    pub description: String,
    /// An object name → schema, or a list of names or of objects with a `name`.
    #[serde(default, alias = "parameters", skip_serializing_if = "Value::is_null")]
    pub params: Value,
}

impl Definition {
    /// Reads a stored or posted document, also in the older form whose login stands in `oauth_config`.
    ///
    /// # Errors
    /// serde's, naming the field.
    pub fn from_value(mut document: Value) -> Result<Definition, serde_json::Error> {
        if let Some(Value::Object(config)) = document.get_mut("oauth_config").map(Value::take)
            && let Some(fields) = document.as_object_mut()
        {
            for name in ["base_url", "auth_header", "auth_prefix"] {
                if let Some(value) = config.get(name).filter(|_| fields.get(name).is_none_or(Value::is_null)) {
                    fields.insert(name.to_owned(), value.clone());
                }
            }
        }
        serde_json::from_value(document)
    }

    /// `custom_<id>`.
    pub fn provider_id(id: IntegrationId) -> String {
        format!("custom_{id}")
    }
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn bearer() -> String {
    "Bearer".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}
