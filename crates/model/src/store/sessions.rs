//! How users stay who they are: sessions, refresh tokens, tokens for one use, failed attempts.
//!
//! All of it belongs to the installation. Tokens come here as their SHA-256 only.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{SessionId, UserId};
use crate::lockout::{Admission, Rule};

/// A login that goes on until it is revoked or ends. Revoking deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub user: UserId,
    /// How the user proved to be it: `password`, `password+totp`, `oidc:<name>`.
    pub method: String,
    /// What the client said it is.
    pub device: String,
    /// Where from.
    pub address: String,
    /// Of the browser's cookie, when there is one.
    pub cookie: Option<Vec<u8>>,
    pub created_at: Millis,
    pub last_used_at: Millis,
    /// It ends then, however much it is used.
    pub expires_at: Millis,
}

/// A refresh token of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub hash: Vec<u8>,
    pub expires_at: Millis,
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It was good, and is used up from here on; the successor is stored.
    Rotated(SessionRecord),
    /// It was used a moment ago and nobody has used its successor yet: the answer was lost, or two of the client's requests met.
    /// The successor of then is to be given again; this is its hash.
    Again(SessionRecord, Vec<u8>),
    /// It was used before: somebody has a copy. The session and all its tokens are gone.
    Reused(SessionRecord),
    /// No token of a living session, or one that has expired.
    Unknown,
}

/// Something that a token allows once.
#[derive(Clone, Debug, PartialEq)]
pub struct OneTime {
    pub hash: Vec<u8>,
    /// What for; a token is no good for anything else.
    pub purpose: String,
    /// `None` when nobody is known yet.
    pub user: Option<UserId>,
    pub data: Value,
    pub expires_at: Millis,
}

#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Whether anybody can log in or call: there is a user or an API key.
    async fn is_founded(&self) -> Result<bool, StoreError>;
    /// Puts the hash of a new password in the place of `known`. False when it is another by now, or there is no such user.
    async fn replace_password(&self, user: UserId, known: Option<&str>, hash: &str) -> Result<bool, StoreError>;

    async fn put_session(&self, session: &SessionRecord, refresh: &RefreshToken) -> Result<(), StoreError>;
    /// `None` also when it has ended.
    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError>;
    async fn session_by_cookie(&self, hash: &[u8]) -> Result<Option<SessionRecord>, StoreError>;
    /// Those that have not ended, newest first.
    async fn list_sessions(&self, user: UserId) -> Result<Vec<SessionRecord>, StoreError>;
    /// Notes a use, at most once a minute.
    async fn touch_session(&self, id: SessionId) -> Result<(), StoreError>;
    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError>;
    /// All of a user's but one; how many there were.
    async fn end_sessions(&self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError>;
    /// Uses a token up in favour of its successor. `grace`: for how long its use may be repeated, in milliseconds.
    async fn refresh(&self, hash: &[u8], successor: &RefreshToken, grace: Millis) -> Result<Refreshed, StoreError>;

    async fn put_one_time(&self, token: &OneTime) -> Result<(), StoreError>;
    /// Looks at a token without using it up.
    async fn one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError>;
    /// Uses a token up. Of many that ask at once, one gets it.
    async fn take_one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError>;
    /// Forgets all of a purpose, of a user or of nobody.
    async fn drop_one_time(&self, user: Option<UserId>, purpose: &str) -> Result<(), StoreError>;

    /// Counts an attempt before it is made, so that many at once are counted too; one that is too early is refused and not counted.
    async fn attempt(&self, key: &str, rule: &Rule) -> Result<Admission, StoreError>;
    /// Takes one attempt back: it was a good one, and others are counted under the same key.
    async fn give_back(&self, key: &str) -> Result<(), StoreError>;
    /// Forgets the attempts.
    async fn forgive(&self, key: &str) -> Result<(), StoreError>;
}
