//! The key file: where a server without `ENCRYPTION_KEY` keeps its ring; made once, before any data exists, and never again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::{Entropy, KeyRing, VaultError};

/// No list of keys comes near this size; more is the wrong file.
const LARGEST: u64 = 64 * 1024;

impl KeyRing {
    /// Opens the key file at `path`, or makes it (mode 0600, durable before this returns) when `existing_data` is false.
    ///
    /// Call it before the database is created. A missing file beside existing data is `VAULT_KEY_MISSING`: a new key would open
    /// nothing and hide the loss. Others: `VAULT_KEY_FILE_PERMISSIONS`, `VAULT_KEY_FILE_IO`, and those of [`KeyRing::parse`].
    pub fn open_or_create_file(path: &Path, existing_data: bool, entropy: &dyn Entropy) -> Result<KeyRing, VaultError> {
        match read(path)? {
            Some(text) => KeyRing::parse(text.trim()),
            None if existing_data => Err(VaultError::KeyMissing {
                reason: format!(
                    "key file {} is missing, but data sealed by it exists; put the file back from your backup, or set ENCRYPTION_KEY to its content",
                    path.display()
                ),
            }),
            None => create(path, entropy),
        }
    }
}

/// The content, or `None` when there is no such file. Permissions are judged on the opened file, so that no swap can slip in.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, VaultError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "opening", error)),
    };
    refuse_if_shared(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| failed(path, "reading", error))?;
    Ok(Some(text))
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path, file: &File) -> Result<(), VaultError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, "reading", error))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyFilePermissions { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path, _: &File) -> Result<(), VaultError> {
    Ok(())
}

fn create(path: &Path, entropy: &dyn Entropy) -> Result<KeyRing, VaultError> {
    let (ring, text) = KeyRing::generate(entropy)?;
    let mut suffix = [0u8; 8];
    entropy.fill(&mut suffix)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{:016x}", u64::from_be_bytes(suffix)));
    let written = write(&temporary, &text).and_then(|()| publish(&temporary, path));
    // Whatever happened, the temporary name must not keep a second copy of the key.
    let _ = fs::remove_file(&temporary);
    match written {
        Ok(()) => {
            sync_folder(path).map_err(|error| failed(path, "syncing the folder", error))?;
            Ok(ring)
        }
        // Another process was first; its key is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(path)? {
            Some(text) => KeyRing::parse(text.trim()),
            None => Err(failed(path, "creating", error)),
        },
        Err(error) => Err(failed(path, "creating", error)),
    }
}

fn write(temporary: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(temporary)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Gives the file its name unless the name is taken: a plain rename would replace the key of a process that was quicker.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && error.kind() != io::ErrorKind::NotFound => {
            // A file system without hard links.
            if fs::symlink_metadata(path).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(temporary, path)
        }
        result => result,
    }
}

/// Makes the new name durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> VaultError {
    VaultError::KeyFileIo { path: path.to_owned(), action, source }
}
