//! The place of a sealed value, which goes into its authentication: a ciphertext moved anywhere else does not open.

use mainspring_model::id::{OrgId, UserId};

/// Where a value lives. Two places that differ in anything never open each other's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Table name, such as `credentials`.
    pub table: &'a str,
    /// The organization; also chooses the data key.
    pub org: OrgId,
    /// The person who owns the row, or `None` when the organization does.
    pub owner: Option<UserId>,
    /// The row's key as raw bytes: `id.0.as_bytes()` for our ids, the UTF-8 of a text key.
    pub row: &'a [u8],
    /// Column, or path inside a document column.
    pub field: &'a str,
}

impl Place<'_> {
    /// The associated data under data-key `version`.
    pub(crate) fn aad(&self, version: u32) -> Vec<u8> {
        if crate::sabotage::leaves_places_out() {
            return Vec::new();
        }
        let owner: &[u8] = self.owner.as_ref().map_or(&[], |owner| owner.0.as_bytes());
        length_prefixed(&[
            b"mainspring/value/v1",
            self.table.as_bytes(),
            self.org.0.as_bytes(),
            owner,
            self.row,
            self.field.as_bytes(),
            &version.to_be_bytes(),
        ])
    }
}

/// Each part behind its length (u64, big endian), so that no two lists of parts give the same bytes.
pub(crate) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
