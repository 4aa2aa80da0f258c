//! Invitations: links that make somebody a member, once.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{InvitationId, OrgId, UserId};
use crate::role::Role;

/// Where an invitation stands. One that has expired is `Pending` still, and of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    Pending,
    Accepted,
    Declined,
    Revoked,
}

impl InvitationState {
    pub const ALL: [InvitationState; 4] =
        [InvitationState::Pending, InvitationState::Accepted, InvitationState::Declined, InvitationState::Revoked];

    pub fn as_str(self) -> &'static str {
        match self {
            InvitationState::Pending => "pending",
            InvitationState::Accepted => "accepted",
            InvitationState::Declined => "declined",
            InvitationState::Revoked => "revoked",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRecord {
    pub id: InvitationId,
    pub org: OrgId,
    pub invited_by: UserId,
    pub role: Role,
    /// SHA-256 of the link's token.
    pub hash: Vec<u8>,
    /// Only whoever has this address may accept.
    pub email: Option<String>,
    pub created_at: Millis,
    pub expires_at: Millis,
    pub state: InvitationState,
    pub ended_at: Option<Millis>,
    pub ended_by: Option<UserId>,
}

#[async_trait]
pub trait InvitationStore: Send + Sync {
    async fn put_invitation(&self, invitation: &InvitationRecord) -> Result<(), StoreError>;

    /// Newest first, in any state.
    async fn list_invitations(&self, org: OrgId) -> Result<Vec<InvitationRecord>, StoreError>;

    async fn invitation_by_hash(&self, hash: &[u8]) -> Result<Option<InvitationRecord>, StoreError>;

    /// Gives a pending one, expired or not, another token in place of the one before. `false`: it is not pending; nothing was written.
    async fn renew_invitation(&self, org: OrgId, id: InvitationId, hash: &[u8], expires_at: Millis) -> Result<bool, StoreError>;

    /// Ends a pending one that has not expired; `Accepted` makes the member in the same transaction. `false`: somebody was first,
    /// or it has expired; nothing was written.
    ///
    /// # Errors
    /// `Conflict` when whoever accepts is a member already.
    async fn end_invitation(&self, org: OrgId, id: InvitationId, state: InvitationState, by: UserId) -> Result<bool, StoreError>;
}
