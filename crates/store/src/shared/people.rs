//! What both stores say of people: roles as they are written, and what is taken already.

use mainspring_model::id::UserId;
use mainspring_model::role::Role;
use mainspring_model::store::{StoreError, email_key};
use serde_json::Value;

/// A role as the database has it.
pub(crate) fn role_of(text: &str) -> Result<Role, StoreError> {
    text.parse().map_err(|error| StoreError::Failed(format!("a member's role is damaged: {error}")))
}

pub(crate) fn address_taken() -> StoreError {
    StoreError::Conflict("there is a user with this e-mail address already".to_owned())
}

pub(crate) fn slug_taken(slug: &str) -> StoreError {
    StoreError::Conflict(format!("there is an organization with the slug \"{slug}\" already"))
}

pub(crate) fn no_user(user: UserId) -> StoreError {
    StoreError::NotFound { what: format!("the user {user}") }
}

pub(crate) fn still_a_member() -> StoreError {
    StoreError::Conflict("the user is a member of an organization still".to_owned())
}

/// Whether a notification rule's definition names this address; `to` may have a name before it.
pub(crate) fn tells(definition: &Value, key: &str) -> bool {
    let to = definition["to"].as_str().unwrap_or_default();
    let address = to.rsplit_once('<').map_or(to, |(_, address)| address.trim_end().trim_end_matches('>'));
    email_key(address) == key
}
