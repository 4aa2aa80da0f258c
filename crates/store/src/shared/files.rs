//! Files, as both stores see them.

use mainspring_model::clock::Millis;
use mainspring_model::id::{FileId, OrgId};
use mainspring_model::store::{FileStore, StoreError};

/// How long bytes wait for the rest of their file, from the last time that they were seen to grow.
pub(crate) const UPLOAD_KEPT: Millis = 6 * 3_600_000;

/// After so many chunks an upload says that it goes on: 64 MiB, each chunk of which must come within a minute.
pub(crate) const RENEWED_EVERY: u32 = 256;

/// Files that one sweep removes.
pub(crate) const SWEPT: i64 = 100;
/// Files of one sweep whose bytes may fail to go before it is given up.
const MOST_FAILED: u64 = 3;

/// Removes the bytes of each of these; how many went. One that cannot be removed holds up no other; a store that is away holds up all.
///
/// # Errors
/// The store's.
pub(crate) async fn drop_each(store: &impl FileStore, due: &[(OrgId, FileId)]) -> Result<u64, StoreError> {
    let (mut gone, mut failed) = (0, 0);
    for (org, id) in due {
        match store.drop_file(*org, *id).await {
            Ok(()) => gone += 1,
            Err(error) if failed == MOST_FAILED => return Err(error),
            Err(error) => {
                tracing::warn!(%error, file = %id, "the bytes of a file could not be removed; they are tried again");
                failed += 1;
            }
        }
    }
    Ok(gone)
}

pub(crate) fn swept(id: FileId) -> StoreError {
    StoreError::Conflict(format!("the file {id} was not written to its end in time; send it again"))
}

pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
