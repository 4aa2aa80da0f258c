//! Invitations as both databases keep them: words for roles and states.

use mainspring_model::role::Role;
use mainspring_model::store::{InvitationState, StoreError};

use super::json::damaged;

pub(crate) fn role_of(text: &str) -> Result<Role, StoreError> {
    text.parse().map_err(|_| damaged("a role"))
}

pub(crate) fn state_of(text: &str) -> Result<InvitationState, StoreError> {
    InvitationState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| damaged("an invitation's state"))
}

pub(crate) fn already_a_member() -> StoreError {
    StoreError::Conflict("this user is a member already".to_owned())
}

/// Without an owner nobody could manage it, or end it.
pub(crate) fn last_owner() -> StoreError {
    StoreError::Conflict("this is the organization's last owner; make somebody else an owner first".to_owned())
}
