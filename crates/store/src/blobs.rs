//! Blobs: large values in files named by the SHA-256 of their bytes, `blobs/ab/cdef…`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;
use sha2::{Digest, Sha256};

use crate::lock::unwritable;

/// The largest value that is kept.
pub(crate) const BLOB_LIMIT: u64 = 16 * 1024 * 1024;

/// The directory of blobs. All calls block.
pub(crate) struct BlobFolder {
    root: PathBuf,
    /// Held while a blob's age is renewed and while an old one is removed, so that none is removed just as it is used again.
    aging: Mutex<()>,
    temporary: AtomicU64,
}

impl BlobFolder {
    pub(crate) fn new(data_folder: &Path) -> BlobFolder {
        BlobFolder { root: data_folder.join("blobs"), aging: Mutex::new(()), temporary: AtomicU64::new(0) }
    }

    /// Keeps `bytes`, durably, and gives their address. `now` is their age's beginning.
    pub(crate) fn put(&self, bytes: &[u8], now: Millis) -> Result<String, StoreError> {
        let size = bytes.len() as u64;
        if size > BLOB_LIMIT {
            return Err(StoreError::TooLarge { size, limit: BLOB_LIMIT });
        }
        let sha256 = hex(&Sha256::digest(bytes));
        let path = self.path(&sha256);
        if self.renew(&path, size, now) {
            return Ok(sha256);
        }
        let failed = |error: std::io::Error| unwritable(&path, &error);
        let folder = path.parent().expect("a blob's path has its prefix folder");
        fs::create_dir_all(folder).map_err(failed)?;
        let temporary = folder.join(format!("{}.{}.tmp", std::process::id(), self.temporary.fetch_add(1, Ordering::Relaxed)));
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.set_modified(UNIX_EPOCH + Duration::from_millis(now.max(0).unsigned_abs()))?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            // The names, too, must be on disk: the file's in its folder and the folder's in the root.
            File::open(folder)?.sync_all()?;
            File::open(&self.root)?.sync_all()
        });
        written.map_err(|error| {
            // Best effort: the sweep removes what stays behind.
            let _ = fs::remove_file(&temporary);
            failed(error)
        })?;
        Ok(sha256)
    }

    /// The bytes behind an address, which they must match.
    pub(crate) fn get(&self, sha256: &str) -> Result<Vec<u8>, StoreError> {
        if !is_address(sha256) {
            return Err(StoreError::Invalid("a blob's address is 64 lower-case hex digits".to_owned()));
        }
        let path = self.path(sha256);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(BLOB_LIMIT + 1).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::NotFound { what: format!("the blob {sha256}") });
            }
            Err(error) => return Err(StoreError::Failed(format!("{}: {error}", path.display()))),
        }
        if hex(&Sha256::digest(&bytes)) == sha256 {
            Ok(bytes)
        } else {
            Err(StoreError::Failed(format!("{} is damaged: its bytes do not match its name", path.display())))
        }
    }

    /// Whether there is a file of this address.
    pub(crate) fn has(&self, sha256: &str) -> bool {
        is_address(sha256) && self.path(sha256).exists()
    }

    /// Removes a blob that nobody needs, if it is older than `before`: a younger one may belong to a write under way.
    pub(crate) fn remove_old(&self, sha256: &str, before: Millis) -> bool {
        if !is_address(sha256) {
            return false;
        }
        let _aging = self.aging.lock().expect("no panic happens while blobs age");
        let path = self.path(sha256);
        age(&path).is_some_and(|since| since < before) && fs::remove_file(&path).is_ok()
    }

    /// Addresses in one of the 256 prefix folders whose blobs are older than `before`; left-over temporary files go at once.
    pub(crate) fn older_than(&self, prefix: u8, before: Millis) -> Vec<String> {
        let name = format!("{prefix:02x}");
        let Ok(entries) = fs::read_dir(self.root.join(&name)) else { return Vec::new() };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let old = age(&entry.path()).is_some_and(|since| since < before);
            let file_name = entry.file_name().to_string_lossy().into_owned();
            if old && file_name.ends_with(".tmp") {
                let _ = fs::remove_file(entry.path());
            } else if old {
                found.push(format!("{name}{file_name}"));
            }
        }
        found
    }

    /// Whether the blob is there whole; its age begins anew.
    fn renew(&self, path: &Path, size: u64, now: Millis) -> bool {
        let _aging = self.aging.lock().expect("no panic happens while blobs age");
        let Ok(file) = File::options().append(true).open(path) else { return false };
        // A file of another length is a torn one from a disk that lied about a sync: written again.
        file.metadata().is_ok_and(|meta| meta.len() == size)
            && file.set_modified(UNIX_EPOCH + Duration::from_millis(now.max(0).unsigned_abs())).is_ok()
    }

    fn path(&self, sha256: &str) -> PathBuf {
        let (prefix, rest) = sha256.split_at(2);
        self.root.join(prefix).join(rest)
    }
}

fn age(path: &Path) -> Option<Millis> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    Some(i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).unwrap_or(i64::MAX))
}

pub(crate) fn is_address(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobFolder::new(folder.path());
        let address = blobs.put(b"\"large\"", 1_000).unwrap();
        assert_eq!(blobs.put(b"\"large\"", 1_000).unwrap(), address, "the same bytes are one blob");
        assert_eq!(blobs.get(&address).unwrap(), b"\"large\"");
        fs::write(blobs.path(&address), b"\"lar?e\"").unwrap();
        assert!(matches!(blobs.get(&address), Err(StoreError::Failed(_))));
        fs::write(blobs.path(&address), b"").unwrap();
        assert_eq!(blobs.put(b"\"large\"", 1_000).unwrap(), address, "a torn file is written again");
        assert_eq!(blobs.get(&address).unwrap(), b"\"large\"");
    }

    #[test]
    fn addresses_are_not_paths_and_size_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobFolder::new(folder.path());
        for text in ["", "..", "../../etc/passwd", &"A".repeat(64), &"é".repeat(32)] {
            assert!(matches!(blobs.get(text), Err(StoreError::Invalid(_))), "{text}");
        }
        assert!(matches!(blobs.get(&"0".repeat(64)), Err(StoreError::NotFound { .. })));
        let size = BLOB_LIMIT + 1;
        match blobs.put(&vec![0; usize::try_from(size).unwrap()], 0) {
            Err(StoreError::TooLarge { size: found, limit: BLOB_LIMIT }) => assert_eq!(found, size),
            other => panic!("expected TooLarge, got {other:?}"),
        }
    }

    #[test]
    fn only_old_blobs_are_removed_and_use_makes_them_young() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobFolder::new(folder.path());
        let address = blobs.put(b"x", 1_000).unwrap();
        let prefix = u8::from_str_radix(&address[..2], 16).unwrap();
        assert_eq!(blobs.older_than(prefix, 1_000), Vec::<String>::new());
        assert_eq!(blobs.older_than(prefix, 2_000), std::slice::from_ref(&address));
        blobs.put(b"x", 5_000).unwrap();
        assert!(!blobs.remove_old(&address, 2_000));
        assert!(blobs.remove_old(&address, 5_001));
        assert!(matches!(blobs.get(&address), Err(StoreError::NotFound { .. })));
    }
}
