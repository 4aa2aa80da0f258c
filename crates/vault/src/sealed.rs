//! A sealed value: opaque bytes that may be stored anywhere and open only at their place.

use std::fmt;

use crate::VaultError;
use crate::cipher::{ALGORITHM, FORMAT, NONCE, TAG};

/// Format, algorithm, data-key version (u32, big endian).
pub(crate) const HEAD: usize = 6;

/// A sealed value, `v1 | alg | data-key version | nonce | ciphertext + tag`. Stored with [`Sealed::to_bytes`]; `Debug` prints
/// only the length. It is no `Serialize`, so that it leaves the program only where somebody wrote so.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub(crate) Vec<u8>);

impl Sealed {
    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.clone()
    }

    /// Takes stored bytes back. Checks only the form; [`crate::Vault::open`] proves the content. Errors: `VAULT_MALFORMED`.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Sealed, VaultError> {
        let bytes = bytes.into();
        if bytes.len() < HEAD + NONCE + TAG {
            return Err(VaultError::Malformed { reason: "too short" });
        }
        if bytes[0] != FORMAT {
            return Err(VaultError::Malformed { reason: "unknown format version" });
        }
        if bytes[1] != ALGORITHM {
            return Err(VaultError::Malformed { reason: "unknown algorithm" });
        }
        Ok(Sealed(bytes))
    }

    /// The version of the organization's data key that sealed this; for a report of the keys in use.
    pub fn key_version(&self) -> u32 {
        u32::from_be_bytes(self.0[2..HEAD].try_into().expect("a sealed value has its head"))
    }

    pub(crate) fn head(version: u32) -> [u8; HEAD] {
        let [a, b, c, d] = version.to_be_bytes();
        [FORMAT, ALGORITHM, a, b, c, d]
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}
