//! Who people are: passwords, sessions and their tokens, second factors, outside issuers. Handlers are in `http/auth`.

pub mod accounts;
pub mod deletion;
mod hasher;
pub mod links;
pub mod outside;
pub mod policy;
pub mod sessions;
pub mod terms;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_model::id::SessionId;
use mainspring_model::store::{Store, StoreError};
use mainspring_vault::{Cost, SigningKeys};

pub use hasher::{HashError, Hasher};
pub use terms::Terms;

use outside::Outside;
use sessions::Member;

use crate::known::Known;

/// The parts that know who people are.
pub struct Identity {
    /// Of access tokens, and of what is derived for refresh tokens and logins at outside issuers.
    pub keys: SigningKeys,
    pub hasher: Hasher,
    pub terms: Terms,
    /// Where people log in beside here.
    pub outside: Outside,
    /// Sessions seen lately.
    pub members: Known<SessionId, Arc<Member>>,
    /// Cookies seen lately, by hash.
    pub cookies: Known<[u8; 32], SessionId>,
    founded: AtomicBool,
}

impl Identity {
    pub fn new(keys: SigningKeys, terms: Terms, outside: Outside, cost: Cost) -> Identity {
        Identity {
            keys,
            hasher: Hasher::new(cost),
            terms,
            outside,
            members: Known::default(),
            cookies: Known::default(),
            founded: AtomicBool::new(false),
        }
    }

    /// Whether the installation has an owner, or anybody else who may call. Once it has, it always has.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_founded(&self, store: &dyn Store) -> Result<bool, StoreError> {
        if self.founded.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let founded = store.is_founded().await?;
        self.founded.store(founded, Ordering::Relaxed);
        Ok(founded)
    }
}
