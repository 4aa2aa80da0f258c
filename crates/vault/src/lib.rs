//! Sealing: the key ring, envelope encryption, token hashing and redaction; everything that keeps a secret a secret.
//!
//! A key ring ([`KeyRing`], from `ENCRYPTION_KEY` or a key file) wraps one random data key per organization ([`WrappedKey`]); the
//! data key seals values ([`Sealed`]) bound to their place ([`Place`]): table, organization, owner, row, field and key version.
//! Keys are chosen by id, never by trial. Nothing here knows a database, a clock or tokio; randomness comes in as [`Entropy`].

mod access_token;
mod cipher;
mod data_key;
mod encodings;
mod entropy;
mod error;
mod fernet;
mod idempotency;
mod key_file;
mod key_ring;
mod password;
mod place;
mod redactor;
mod sabotage;
mod sealed;
mod signing;
mod token;
mod totp;
mod vault;
#[cfg(test)]
mod vectors;
pub mod webhook;

pub use access_token::AccessToken;
pub use data_key::WrappedKey;
pub use entropy::{Entropy, OsEntropy};
pub use error::VaultError;
pub use fernet::{FernetError, FernetKey};
pub use idempotency::{OrgKey, idempotency_key};
pub use key_ring::{CanaryState, KekId, KeyRing};
pub use mainspring_model::credential::Secret;
pub use password::{Cost, Verdict, hash_password, nobodys_hash, verify_password};
pub use place::Place;
pub use redactor::{MASK, Redactor};
pub use sealed::Sealed;
pub use signing::{SigningKeys, sign_for_tests};
pub use token::{Token, TokenHash};
pub use totp::{TotpSecret, plain_recovery_code, recovery_code};
pub use vault::Vault;
