//! Passwords: argon2id with its cost in one place, kept as a text that says what it was made with.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Entropy, VaultError};

/// What one hash costs whoever makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// Of every new hash: 19 MiB, two passes, one lane, the least that OWASP's cheat sheet (2024) recommends for argon2id. About
    /// 20 ms of one core. A hash of another cost is made anew when its user next logs in.
    pub const STANDARD: Cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// More than anybody sets: a row that was tampered with must not cost a gigabyte.
    const MOST: Cost = Cost { memory_kib: 1 << 18, passes: 16, lanes: 8 };
}

/// What a password was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    /// `outdated`: right, but hashed at another cost than the present one.
    Right {
        outdated: bool,
    },
}

const SALT: usize = 16;
const HASH: usize = 32;

/// The hash to store, in the PHC form: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Errors: `VAULT_NO_ENTROPY`.
pub fn hash_password(password: &str, cost: Cost, entropy: &dyn Entropy) -> Result<String, VaultError> {
    let mut salt = [0u8; SALT];
    entropy.fill(&mut salt)?;
    let hash = made(password, &salt, HASH, cost)?;
    Ok(phc(cost, &salt, &hash))
}

/// Whether `password` is the one that `stored` was made of. Errors: `VAULT_MALFORMED` when `stored` is no such hash.
pub fn verify_password(password: &str, stored: &str, cost: Cost) -> Result<Verdict, VaultError> {
    let (with, salt, known) = read(stored).ok_or(VaultError::Malformed { reason: "this is no argon2id hash" })?;
    let hash = made(password, &salt, known.len(), with)?;
    Ok(match bool::from(hash.as_slice().ct_eq(&known)) {
        true => Verdict::Right { outdated: with != cost || salt.len() != SALT || known.len() != HASH },
        false => Verdict::Wrong,
    })
}

/// A hash of nobody's password, to spend the same time on users that do not exist.
pub fn nobodys_hash(cost: Cost) -> String {
    phc(cost, &[0; SALT], &[0; HASH])
}

fn made(password: &str, salt: &[u8], length: usize, cost: Cost) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let malformed = |_| VaultError::Malformed { reason: "argon2id does not take this cost" };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length)).map_err(malformed)?;
    let mut hash = Zeroizing::new(vec![0u8; length]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut hash).map_err(malformed)?;
    Ok(hash)
}

fn phc(cost: Cost, salt: &[u8], hash: &[u8]) -> String {
    let Cost { memory_kib, passes, lanes } = cost;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
}

fn read(text: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
    let mut costs = parts.next()?.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let cost = Cost { memory_kib: cost("m=")?, passes: cost("t=")?, lanes: cost("p=")? };
    let most = Cost::MOST;
    if cost.memory_kib > most.memory_kib || cost.passes > most.passes || cost.lanes > most.lanes {
        return None;
    }
    let (salt, hash) = (STANDARD_NO_PAD.decode(parts.next()?).ok()?, STANDARD_NO_PAD.decode(parts.next()?).ok()?);
    (parts.next().is_none() && (8..=64).contains(&salt.len()) && (16..=64).contains(&hash.len())).then_some((cost, salt, hash))
}
