//! `engine.lock`: at most one process drives the runs of a data folder, and the file says which.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use mainspring_model::store::StoreError;

const FILE: &str = "engine.lock";

/// Held until dropped; the operating system drops it for a process that dies.
///
/// The file stays: removing it would let two processes hold locks on two files of the same name.
pub(crate) struct EngineLock {
    _file: File,
}

impl EngineLock {
    /// Takes the lock of `folder` or says who holds it. Never waits.
    pub(crate) fn take(folder: &Path) -> Result<EngineLock, StoreError> {
        let path = folder.join(FILE);
        let failed = |error: std::io::Error| unwritable(&path, &error);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { folder: folder.display().to_string(), pid: read_pid(&mut file).unwrap_or(0) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(EngineLock { _file: file })
    }
}

/// The process that drives the runs of `folder` right now, if one does. 0 when it has not written its number yet.
pub fn holder(folder: &Path) -> Option<u32> {
    let mut file = File::options().read(true).open(folder.join(FILE)).ok()?;
    // A shared lock, so that two who ask at once do not take each other for the holder.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_pid(&mut file).unwrap_or(0)),
        _ => None,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// What an I/O error on `path` means to the store's callers.
pub fn unwritable(path: &Path, error: &std::io::Error) -> StoreError {
    use std::io::ErrorKind;
    let place = path.display().to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { place },
        // Making a folder says "exists" when what exists is a file.
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            StoreError::ReadOnly { place, reason: "a file stands where a folder is needed".to_owned() }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { place, reason: error.to_string() },
        _ => StoreError::Failed(format!("{place}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_others_learn_its_process() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()), None);
        let lock = EngineLock::take(folder.path()).unwrap();
        assert_eq!(holder(folder.path()), Some(std::process::id()));
        match EngineLock::take(folder.path()) {
            Err(StoreError::Locked { pid, .. }) => assert_eq!(pid, std::process::id()),
            other => panic!("expected Locked, got {:?}", other.err()),
        }
        drop(lock);
        assert_eq!(holder(folder.path()), None);
        EngineLock::take(folder.path()).unwrap();
    }
}
