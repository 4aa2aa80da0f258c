//! The key ring: the keys that wrap data keys, each with an id derived from it; the first one seals, the others only open.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cipher::{self, ALGORITHM, FORMAT, Key};
use crate::place::length_prefixed;
use crate::{Entropy, VaultError};

/// The id of a key of the ring: the first 8 bytes of a labelled SHA-256 of it. Written as 16 hex digits; not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KekId(pub [u8; 8]);

impl KekId {
    fn of(key: &Key) -> KekId {
        let mut hash = Sha256::new();
        hash.update(b"mainspring/key-id/v1\0");
        hash.update(**key);
        let hash: [u8; 32] = hash.finalize().into();
        KekId(hash[..8].try_into().expect("8 of 32 bytes"))
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({self})")
    }
}

impl FromStr for KekId {
    type Err = VaultError;
    fn from_str(text: &str) -> Result<KekId, VaultError> {
        let malformed = VaultError::Malformed { reason: "a key id is 16 hex digits" };
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        u64::from_str_radix(text, 16).map(|id| KekId(id.to_be_bytes())).map_err(|_| malformed)
    }
}

#[derive(Clone)]
pub(crate) struct Kek {
    pub(crate) id: KekId,
    pub(crate) key: Key,
}

/// What [`KeyRing::check_canary`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryState {
    /// Sealed by the ring's first key.
    Current,
    /// Opens, but by a later key of the ring: a rotation is under way, rewrap the data keys and store a new canary.
    Older,
}

/// The keys that wrap data keys. Never empty. `Debug` prints ids only.
#[derive(Clone)]
pub struct KeyRing(Vec<Kek>);

impl KeyRing {
    /// Reads `ENCRYPTION_KEY`: base64 of 32 bytes, or a list of them between commas; standard or url-safe, padded or not.
    /// The first seals. Errors: `VAULT_KEY_MISSING`, `VAULT_KEY_MALFORMED`, `VAULT_KEY_WEAK`, `VAULT_KEY_DUPLICATE`; none echoes the text.
    pub fn parse(text: &str) -> Result<KeyRing, VaultError> {
        if text.trim().is_empty() {
            return Err(VaultError::KeyMissing { reason: "no encryption key was given; make one with `openssl rand -base64 32`".into() });
        }
        let mut keys: Vec<Kek> = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let position = index + 1;
            let key = decode(part.trim()).map_err(|reason| VaultError::KeyMalformed { position, reason })?;
            if let Some(reason) = weakness(&key) {
                return Err(VaultError::KeyWeak { position, reason });
            }
            if keys.iter().any(|known| bool::from(known.key.ct_eq(&*key))) {
                return Err(VaultError::KeyDuplicate { position });
            }
            keys.push(Kek { id: KekId::of(&key), key });
        }
        Ok(KeyRing(keys))
    }

    /// A ring of one new random key, and the text to keep it in.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<(KeyRing, Zeroizing<String>), VaultError> {
        let key = cipher::random_key(entropy)?;
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(*key));
        Ok((KeyRing::parse(&text)?, text))
    }

    /// The id of the key that seals.
    pub fn first_id(&self) -> KekId {
        self.first().id
    }

    /// All ids, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = KekId> + '_ {
        self.0.iter().map(|kek| kek.id)
    }

    /// Whether data sealed by key `id` can be opened. Before an old key may go, nothing stored may name it.
    pub fn contains(&self, id: KekId) -> bool {
        self.ids().any(|known| known == id)
    }

    /// A known value sealed by the first key, to be stored when a database is created and proved at every later start.
    pub fn canary(&self, entropy: &dyn Entropy) -> Result<Vec<u8>, VaultError> {
        let kek = self.first();
        let head = [&[FORMAT, ALGORITHM], kek.id.0.as_slice()].concat();
        cipher::seal(&kek.key, &head, &canary_aad(kek.id), CANARY, entropy)
    }

    /// Which key sealed a canary. Errors: `VAULT_MALFORMED`.
    pub fn canary_id(canary: &[u8]) -> Result<KekId, VaultError> {
        match canary {
            [FORMAT, ALGORITHM, rest @ ..] if rest.len() >= 8 => Ok(KekId(rest[..8].try_into().expect("8 bytes"))),
            _ => Err(VaultError::Malformed { reason: "unknown format of the canary" }),
        }
    }

    /// Proves that this ring opens existing data. Errors: `VAULT_KEY_UNKNOWN` when its key is not in the ring, `VAULT_OPEN_FAILED`
    /// or `VAULT_MALFORMED` when the canary is damaged; the program must then refuse to start and must not make a new key.
    pub fn check_canary(&self, canary: &[u8]) -> Result<CanaryState, VaultError> {
        let [FORMAT, ALGORITHM, rest @ ..] = canary else {
            return Err(VaultError::Malformed { reason: "unknown format of the canary" });
        };
        let (id, body) = rest.split_first_chunk::<8>().ok_or(VaultError::Malformed { reason: "too short" })?;
        let kek = self.find(KekId(*id))?;
        let plain = cipher::open(&kek.key, &canary_aad(kek.id), body, "canary")?;
        if plain.as_slice() != CANARY {
            return Err(VaultError::OpenFailed { what: "canary" });
        }
        Ok(if kek.id == self.first_id() { CanaryState::Current } else { CanaryState::Older })
    }

    /// The keys themselves, for deriving others.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|kek| kek.key.as_slice())
    }

    pub(crate) fn first(&self) -> &Kek {
        self.0.first().expect("a ring is never empty")
    }

    pub(crate) fn find(&self, id: KekId) -> Result<&Kek, VaultError> {
        self.0
            .iter()
            .find(|kek| kek.id == id)
            .ok_or_else(|| VaultError::KeyUnknown { wanted: id, given: self.ids().map(|id| id.to_string()).collect::<Vec<_>>().join(", ") })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

const CANARY: &[u8] = b"mainspring canary";

fn canary_aad(id: KekId) -> Vec<u8> {
    length_prefixed(&[b"mainspring/canary/v1", &id.0])
}

/// Reasons speak of lengths and positions only, never of the text.
fn decode(text: &str) -> Result<Key, String> {
    if text.is_empty() {
        return Err("is empty (a comma too many?)".into());
    }
    let alphabet = if text.contains(['-', '_']) { alphabet::URL_SAFE } else { alphabet::STANDARD };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet, config).decode(text).map(Zeroizing::new).map_err(|_| "is not base64".to_owned())?;
    let mut key = Key::default();
    if bytes.len() != key.len() {
        return Err(format!("holds {} bytes instead of 32", bytes.len()));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Why a key can be guessed. The bounds hit a random key less than once in 10¹³.
fn weakness(key: &Key) -> Option<&'static str> {
    let mut seen = [false; 256];
    key.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    if key.windows(2).all(|pair| pair[1] == pair[0]) {
        Some("it repeats one byte")
    } else if key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == key[1].wrapping_sub(key[0])) {
        Some("it counts")
    } else if seen.iter().filter(|seen| **seen).count() < 14 {
        Some("it has hardly any different bytes")
    } else if key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        Some("it is readable text, not random bytes")
    } else {
        None
    }
}
