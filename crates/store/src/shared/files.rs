//! Files, as both stores see them.

use mainspring_model::clock::Millis;
use mainspring_model::id::FileId;
use mainspring_model::store::StoreError;

/// How long bytes wait for the rest of their file, from the last time that they were seen to grow.
pub(crate) const UPLOAD_KEPT: Millis = 6 * 3_600_000;

/// After so many chunks an upload says that it goes on: 64 MiB, each chunk of which must come within a minute.
pub(crate) const RENEWED_EVERY: u32 = 256;

/// Files that one sweep removes.
pub(crate) const SWEPT: i64 = 100;
/// Files of one sweep whose bytes may fail to go before it is given up.
pub(crate) const MOST_FAILED: u64 = 3;

pub(crate) fn swept(id: FileId) -> StoreError {
    StoreError::Conflict(format!("the file {id} was not written to its end in time; send it again"))
}

pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
