//! API keys and remembered answers of idempotent writes.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{ApiKeyId, OrgId, Owner};

/// An API key as stored: its hash, never the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    pub id: ApiKeyId,
    pub owner: Owner,
    pub name: String,
    /// SHA-256 of the whole key.
    pub hash: Vec<u8>,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    pub last_used_at: Option<Millis>,
    /// Names of permissions that it is bounded to; `None` for all that the user's role may.
    pub scopes: Option<Vec<String>>,
}

/// The first answer to a write that carried an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentAnswer {
    /// SHA-256 of method, path and body.
    pub fingerprint: Vec<u8>,
    pub status: u16,
    /// Header names and values worth repeating (`Location`, `ETag`).
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// New: this caller now owns the key and must answer with `finish_idempotent` or `forget_idempotent`.
    Started,
    /// The first caller has not answered yet.
    InProgress,
    Answered(IdempotentAnswer),
}

#[async_trait]
pub trait AccessStore: Send + Sync {
    async fn put_api_key(&self, key: &ApiKeyRecord) -> Result<(), StoreError>;
    async fn api_key_by_hash(&self, hash: &[u8]) -> Result<Option<ApiKeyRecord>, StoreError>;
    async fn list_api_keys(&self, org: OrgId) -> Result<Vec<ApiKeyRecord>, StoreError>;
    /// Notes a use, at most once a minute.
    async fn touch_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<(), StoreError>;
    async fn delete_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<bool, StoreError>;

    /// Begins or recalls an idempotent write. Entries older than 24 h, and unanswered ones older than 5 minutes, count as new.
    async fn begin_idempotent(&self, org: OrgId, key: &str, fingerprint: &[u8]) -> Result<Remembered, StoreError>;
    async fn finish_idempotent(&self, org: OrgId, key: &str, answer: &IdempotentAnswer) -> Result<(), StoreError>;
    async fn forget_idempotent(&self, org: OrgId, key: &str) -> Result<(), StoreError>;
}
