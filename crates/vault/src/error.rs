//! What can go wrong while sealing, opening or finding keys; each with a stable code and a text that never holds key material.

use std::path::PathBuf;

use mainspring_model::id::OrgId;

use crate::key_ring::KekId;

/// A failure of the vault. The text says what to do next and never contains a key, a token or a plaintext.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// No key was given at all, or the key file is gone while data sealed by it exists.
    #[error("{reason}")]
    KeyMissing { reason: String },
    /// A key is not the base64 of 32 bytes. `position` counts the keys of the list from 1.
    #[error("encryption key {position}: {reason}; make one with `openssl rand -base64 32`")]
    KeyMalformed { position: usize, reason: String },
    /// A key that anybody could guess. `position` counts the keys of the list from 1.
    #[error("encryption key {position} is weak: {reason}; make one with `openssl rand -base64 32`")]
    KeyWeak { position: usize, reason: &'static str },
    /// The same key stands twice in the list.
    #[error("encryption key {position} stands in the list twice; remove the second one")]
    KeyDuplicate { position: usize },
    /// The key file can be read by others than its owner. `mode` holds the permission bits.
    #[error("key file {path} can be read by others (mode {mode:04o}); run `chmod 600 {path}` and consider the key as seen")]
    KeyFilePermissions { path: PathBuf, mode: u32 },
    /// The key file could not be read or written.
    #[error("key file {path}: {action} failed: {source}")]
    KeyFileIo { path: PathBuf, action: &'static str, source: std::io::Error },
    /// Data was sealed by a key that is not in the ring. The ring's own ids are listed so that the operator can tell them apart.
    #[error(
        "the stored data was sealed by encryption key {wanted}, which is not among the keys given ({given}); start with the key that made this data, or list it after the new one"
    )]
    KeyUnknown { wanted: KekId, given: String },
    /// The organization has no data key loaded (version `None`), or not the version that the value names.
    #[error("organization {org} has no data key{}", version_text(.version))]
    DataKeyMissing { org: OrgId, version: Option<u32> },
    /// Two different data keys claim the same organization and version.
    #[error("two different data keys claim organization {org}, version {version}")]
    DataKeyConflict { org: OrgId, version: u32 },
    /// The bytes are not in a format this program knows.
    #[error("sealed bytes are malformed: {reason}")]
    Malformed { reason: &'static str },
    /// Authentication failed: the bytes were changed or moved from the place they were sealed for.
    #[error("the sealed {what} does not open here: it was changed, or moved from another row")]
    OpenFailed { what: &'static str },
    /// The opened value is not UTF-8 text; see `Vault::open_bytes`.
    #[error("the sealed value is not text")]
    NotText,
    /// A token that does not have our form; the checksum makes typing errors visible before any lookup.
    #[error("malformed token: {reason}")]
    TokenMalformed { reason: &'static str },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {reason}")]
    NoEntropy { reason: String },
}

impl VaultError {
    /// The stable code; each has a page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            VaultError::KeyMissing { .. } => "VAULT_KEY_MISSING",
            VaultError::KeyMalformed { .. } => "VAULT_KEY_MALFORMED",
            VaultError::KeyWeak { .. } => "VAULT_KEY_WEAK",
            VaultError::KeyDuplicate { .. } => "VAULT_KEY_DUPLICATE",
            VaultError::KeyFilePermissions { .. } => "VAULT_KEY_FILE_PERMISSIONS",
            VaultError::KeyFileIo { .. } => "VAULT_KEY_FILE_IO",
            VaultError::KeyUnknown { .. } => "VAULT_KEY_UNKNOWN",
            VaultError::DataKeyMissing { .. } => "VAULT_DATA_KEY_MISSING",
            VaultError::DataKeyConflict { .. } => "VAULT_DATA_KEY_CONFLICT",
            VaultError::Malformed { .. } => "VAULT_MALFORMED",
            VaultError::OpenFailed { .. } => "VAULT_OPEN_FAILED",
            VaultError::NotText => "VAULT_NOT_TEXT",
            VaultError::TokenMalformed { .. } => "VAULT_TOKEN_MALFORMED",
            VaultError::NoEntropy { .. } => "VAULT_NO_ENTROPY",
        }
    }
}

fn version_text(version: &Option<u32>) -> String {
    version.map(|version| format!(" of version {version}")).unwrap_or_default()
}
