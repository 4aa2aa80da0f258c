//! Users, organizations, and who is what in which.

use async_trait::async_trait;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::hidden::HiddenField;
use crate::id::{OrgId, UserId};
use crate::role::Role;

/// Somebody who may log in. Users belong to the installation and not to an organization.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    pub id: UserId,
    /// As it was given; found without regard to case.
    pub email: String,
    pub name: String,
    /// In the form of the hash that made it; `None` for who logs in elsewhere.
    pub password_hash: Option<String>,
    /// May administer the installation.
    pub operator: bool,
    /// When the address was proved.
    pub verified_at: Option<Millis>,
    /// Since when nobody can log in as this user.
    pub disabled_at: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

impl std::fmt::Debug for UserRecord {
    /// Without the address and the hash: users are printed in logs by their ids.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord").field("id", &self.id).field("operator", &self.operator).finish_non_exhaustive()
    }
}

/// An organization. The local owner's has no record before somebody else can be a member of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRecord {
    pub id: OrgId,
    pub name: String,
    /// Unique in the installation; part of addresses.
    pub slug: String,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// What a user is in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    pub org: OrgId,
    pub user: UserId,
    pub role: Role,
    pub created_at: Millis,
}

#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// Makes a user or replaces what is known of one. `Conflict` when another user has the address.
    async fn put_user(&self, user: &UserRecord) -> Result<(), StoreError>;
    async fn user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError>;
    /// By the address in any case of letters.
    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError>;
    async fn list_users(&self, paging: &Paging) -> Result<Page<UserRecord>, StoreError>;

    /// Removes an account with everything that is its own in any organization: memberships, API keys, personal credentials, sessions, second
    /// factor, identities elsewhere, notifications and rules for them. Invitations to the address and rules that tell it go too. What
    /// organizations go on with keeps the id, and no row keeps the address.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a member of an organization whose removal is not due.
    async fn erase_user(&self, user: UserId) -> Result<(), StoreError>;

    /// Makes an organization or replaces what is known of one. `Conflict` when another has the slug.
    async fn put_organization(&self, organization: &OrganizationRecord) -> Result<(), StoreError>;
    async fn organization(&self, org: OrgId) -> Result<Option<OrganizationRecord>, StoreError>;
    async fn organization_by_slug(&self, slug: &str) -> Result<Option<OrganizationRecord>, StoreError>;
    /// The organizations of a user and the user's role in each, oldest membership first.
    async fn memberships(&self, user: UserId) -> Result<Vec<(OrganizationRecord, Role)>, StoreError>;

    /// Makes somebody a member, or gives a member another role.
    async fn put_member(&self, member: &MemberRecord) -> Result<(), StoreError>;
    async fn role_of(&self, user: UserId, org: OrgId) -> Result<Option<Role>, StoreError>;
    /// Oldest first.
    async fn list_members(&self, org: OrgId) -> Result<Vec<MemberRecord>, StoreError>;
    async fn delete_member(&self, org: OrgId, user: UserId) -> Result<bool, StoreError>;

    /// Which fields of run data the organization hides, in the order in which they were given.
    async fn hidden_fields(&self, org: OrgId) -> Result<Vec<HiddenField>, StoreError>;
    /// Replaces all of them.
    async fn put_hidden_fields(&self, org: OrgId, fields: &[HiddenField]) -> Result<(), StoreError>;
}

/// How an address is compared.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}
