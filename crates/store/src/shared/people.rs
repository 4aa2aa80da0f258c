//! What both stores say of people: roles as they are written, and what is taken already.

use mainspring_model::role::Role;
use mainspring_model::store::StoreError;

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
