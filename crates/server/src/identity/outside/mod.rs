//! Logins at outside issuers (OpenID Connect): who they are, what they publish, and what their tokens prove.
//!
//! Our own code on our own client: every request leaves through the egress guard, and every rule of a token's check stands in
//! `id_token.rs`, where it can be read.

mod id_token;
mod issuer;
mod jwks;
mod published;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mainspring_model::clock::{Clock, Millis};
use mainspring_providers::egress::Egress;
use thiserror::Error;

pub use id_token::{Expected, IdToken};
pub use issuer::{Issuer, issuers};

use jwks::Jwks;
use published::Published;

/// Why somebody could not be logged in by an issuer.
#[derive(Debug, Error)]
pub enum OutsideError {
    /// Asking the issuer failed.
    #[error("{0}")]
    Unreachable(String),
    /// What came is not what may come. For the log; whoever sent it learns less.
    #[error("{0}")]
    Rejected(String),
}

/// How long what an issuer publishes is believed, in milliseconds.
const PUBLISHED: Millis = 3_600_000;
/// How often its keys are asked for when a token names one that is not known, in milliseconds.
const KEYS: Millis = 60_000;

/// What is known of one issuer.
#[derive(Clone)]
struct Seen {
    published: Arc<Published>,
    keys: Arc<Jwks>,
    at: Millis,
    keys_at: Millis,
}

/// The issuers that people may log in at.
pub struct Outside {
    issuers: Vec<Issuer>,
    egress: Arc<Egress>,
    clock: Arc<dyn Clock>,
    /// Endpoints may be http: the operator's own issuer in a private network.
    plain_http: bool,
    seen: Mutex<HashMap<String, Seen>>,
}

impl Outside {
    pub fn new(issuers: Vec<Issuer>, egress: Arc<Egress>, clock: Arc<dyn Clock>, plain_http: bool) -> Outside {
        Outside { issuers, egress, clock, plain_http, seen: Mutex::default() }
    }

    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    pub fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.name == name)
    }

    /// Where a browser is sent.
    ///
    /// # Errors
    /// The issuer cannot be asked, or publishes what cannot be right.
    pub async fn authorization_endpoint(&self, issuer: &Issuer) -> Result<url::Url, OutsideError> {
        Ok(self.seen(issuer).await?.published.authorization_endpoint.clone())
    }

    /// Exchanges a code, and checks what comes for it.
    ///
    /// # Errors
    /// [`OutsideError`].
    pub async fn exchange(
        &self,
        issuer: &Issuer,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        nonce: &str,
    ) -> Result<IdToken, OutsideError> {
        let mut seen = self.seen(issuer).await?;
        let token = published::exchange(&self.egress, &self.clock, issuer, &seen.published, code, redirect_uri, verifier).await?;
        let expected = Expected { issuer: &issuer.issuer, client_id: &issuer.client_id, nonce, now: self.clock.now().div_euclid(1_000) };
        let first = IdToken::read(&token, &seen.keys, &expected);
        // A key that is not known: the issuer may have a new one.
        let unknown = first.as_ref().is_err_and(id_token::names_unknown_key);
        if unknown && self.clock.now() - seen.keys_at >= KEYS {
            seen = self.renew(issuer, seen.published.clone(), seen.at).await?;
            return IdToken::read(&token, &seen.keys, &expected).map_err(|error| OutsideError::Rejected(error.to_string()));
        }
        first.map_err(|error| OutsideError::Rejected(error.to_string()))
    }

    async fn seen(&self, issuer: &Issuer) -> Result<Seen, OutsideError> {
        let now = self.clock.now();
        if let Some(seen) = self.lock().get(&issuer.name).filter(|seen| now - seen.at < PUBLISHED) {
            return Ok(seen.clone());
        }
        let published = published::discover(&self.egress, &self.clock, issuer, self.plain_http).await?;
        self.renew(issuer, Arc::new(published), now).await
    }

    async fn renew(&self, issuer: &Issuer, published: Arc<Published>, at: Millis) -> Result<Seen, OutsideError> {
        let keys = Arc::new(published::keys(&self.egress, &self.clock, &published).await?);
        let seen = Seen { published, keys, at, keys_at: self.clock.now() };
        self.lock().insert(issuer.name.clone(), seen.clone());
        Ok(seen)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().expect("no panic happens while what was seen is held")
    }
}
