//! Custom integrations: a user's own provider, made from the definition that they stored.

mod action;
mod definition;
mod endpoint;
mod params;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::Problem;
use mainspring_model::action::Action;
use mainspring_model::catalog::{Provider, Verify};
use mainspring_model::credential::{CredentialField, host_of};
use mainspring_model::id::IntegrationId;

pub use definition::{ActionDefinition, AuthType, Definition};
pub use validate::validate;

use crate::egress::Egress;
use action::{Described, Free, Service};

/// The provider `custom_<id>` of a definition. Beside the actions described it has `request`, for the rest of the API.
///
/// # Errors
/// The definition's problems, as [`validate`] finds them.
pub fn provider(id: IntegrationId, definition: &Definition, egress: Arc<Egress>) -> Result<Provider, Vec<Problem>> {
    let problems = validate(definition);
    if !problems.is_empty() {
        return Err(problems);
    }
    let broken = || vec![Problem::new("INVALID_INTEGRATION", "", "the definition cannot be used")];
    let service = Arc::new(Service::of(definition, egress).ok_or_else(broken)?);
    let mut actions: Vec<Arc<dyn Action>> = Vec::new();
    for action in &definition.actions {
        actions.push(Arc::new(Described::of(action, service.clone()).ok_or_else(broken)?));
    }
    if !definition.actions.iter().any(|action| action.id == "request") {
        actions.push(Arc::new(Free::of(service)));
    }
    let names = definition.actions.iter().filter(|action| !action.name.is_empty() && action.name != action.id);
    Ok(Provider {
        id: Definition::provider_id(id),
        title: definition.display_name.clone().unwrap_or_else(|| definition.name.clone()),
        category: "Custom".to_owned(),
        version: 1,
        description: definition.description.clone(),
        credential: fields(definition),
        hosts: host_of(&definition.base_url).into_iter().collect(),
        verify: (definition.auth_type != AuthType::None).then_some(Verify::Address { action: "request", param: "endpoint" }),
        aliases: names.map(|action| (action.name.clone(), action.id.clone())).collect::<BTreeMap<_, _>>(),
        actions,
    })
}

fn fields(definition: &Definition) -> Vec<CredentialField> {
    let (name, title) = match definition.auth_type {
        AuthType::None => return Vec::new(),
        AuthType::ApiKey => ("api_key", "API key"),
        AuthType::Oauth => ("access_token", "Access token"),
    };
    let help = format!("Sent as {}: {}", definition.auth_header, crate::custom_api::prefixed(Some(&definition.auth_prefix), "…"));
    vec![CredentialField { name: name.to_owned(), title: title.to_owned(), required: true, secret: true, help: Some(help) }]
}
