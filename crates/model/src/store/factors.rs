//! What users prove who they are by, beside a password: second factors and identities at outside issuers.
//!
//! All of it belongs to the installation.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::UserId;

/// The second factor of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// The shared secret, sealed.
    pub sealed: Vec<u8>,
    /// `None` until the user has shown a code of it: it is not asked for before.
    pub confirmed_at: Option<Millis>,
    /// The half minute of the last code that was used.
    pub last_step: Option<i64>,
    pub created_at: Millis,
}

/// Somebody at an outside issuer, who is a user here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideIdentity {
    pub issuer: String,
    pub subject: String,
    pub user: UserId,
    pub created_at: Millis,
}

#[async_trait]
pub trait FactorStore: Send + Sync {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError>;
    /// Takes the place of one that is not confirmed; `Conflict` when one is.
    async fn put_second_factor(&self, user: UserId, factor: &SecondFactor) -> Result<(), StoreError>;
    /// Confirms it with its first code and stores the hashes of recovery codes. False when it is confirmed already or not there.
    async fn confirm_second_factor(&self, user: UserId, step: i64, recovery: &[Vec<u8>]) -> Result<bool, StoreError>;
    /// Uses the code of a half minute up. False when it, or a later one, was used before.
    async fn use_step(&self, user: UserId, step: i64) -> Result<bool, StoreError>;
    /// Uses a recovery code up.
    async fn use_recovery_code(&self, user: UserId, hash: &[u8]) -> Result<bool, StoreError>;
    /// Unused ones.
    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, StoreError>;
    async fn delete_second_factor(&self, user: UserId) -> Result<bool, StoreError>;

    async fn outside_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError>;
    /// `Conflict` when somebody has it already.
    async fn put_outside_identity(&self, identity: &OutsideIdentity) -> Result<(), StoreError>;
}
