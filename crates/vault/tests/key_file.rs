//! The key file's life: made once, found again, refused when it is gone, shared or damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mainspring_vault::{KeyRing, OsEntropy, VaultError};

use crate::support::key_text;

fn open(path: &Path, existing_data: bool) -> Result<KeyRing, VaultError> {
    KeyRing::open_or_create_file(path, existing_data, &OsEntropy)
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_start_makes_a_private_file_and_the_second_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encryption.key");
    let first = open(&path, false).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(open(&path, false).unwrap().first_id(), first.first_id());
    assert_eq!(open(&path, true).unwrap().first_id(), first.first_id());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["encryption.key"], "no temporary file stays");
    // What the file holds can be moved into ENCRYPTION_KEY.
    assert_eq!(KeyRing::parse(&fs::read_to_string(&path).unwrap()).unwrap().first_id(), first.first_id());
}

#[test]
fn a_missing_file_beside_data_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encryption.key");
    let error = open(&path, true).unwrap_err();
    assert_eq!(error.code(), "VAULT_KEY_MISSING");
    assert!(error.to_string().contains("put the file back"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encryption.key");
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610, 0o602] {
        write(&path, &key_text(1), mode);
        let error = open(&path, true).unwrap_err();
        assert_eq!(error.code(), "VAULT_KEY_FILE_PERMISSIONS", "{mode:o}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    write(&path, &key_text(1), 0o400);
    open(&path, true).unwrap();
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encryption.key");
    for (text, code) in [("", "VAULT_KEY_MISSING"), ("\n", "VAULT_KEY_MISSING"), ("AAAA", "VAULT_KEY_MALFORMED")] {
        write(&path, text, 0o600);
        for existing_data in [false, true] {
            assert_eq!(open(&path, existing_data).unwrap_err().code(), code);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, [0xFF, 0xFE]).unwrap();
    assert_eq!(open(&path, false).unwrap_err().code(), "VAULT_KEY_FILE_IO");
}

#[test]
fn a_file_may_hold_a_ring_for_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encryption.key");
    write(&path, &format!("{},\n{}\n", key_text(2), key_text(1)), 0o600);
    assert_eq!(open(&path, true).unwrap().ids().count(), 2);
}

#[test]
fn a_missing_folder_is_an_error_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("no/encryption.key"), false).unwrap_err();
    assert_eq!(error.code(), "VAULT_KEY_FILE_IO");
    assert!(error.to_string().contains("no/encryption.key"));
}

#[test]
fn many_first_starts_at_once_agree_on_one_key() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encryption.key");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path, false).unwrap().first_id())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
