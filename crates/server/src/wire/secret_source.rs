//! Where secrets that are kept elsewhere are read: variables of the environment, files below one folder, and Vault.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mainspring_engine::{SecretSource, Unread};
use mainspring_model::credential::Secret;
use mainspring_model::id::{OrgId, Owner};
use mainspring_model::secret_reference::Reference;

use super::vault_kv::VaultKv;
use crate::references::Terms;

/// The largest file with a secret, in bytes.
const MOST_BYTES: u64 = 64 << 10;

pub(super) struct Elsewhere {
    pub terms: Terms,
    /// When the operator set an address and a token.
    pub vault: Option<VaultKv>,
}

#[async_trait]
impl SecretSource for Elsewhere {
    fn allows(&self, org: OrgId, reference: &Reference) -> Result<(), String> {
        self.terms.allows(org, reference)
    }

    async fn read(&self, owner: Owner, reference: &Reference) -> Result<Secret, Unread> {
        match (reference, &self.terms.files, &self.vault) {
            (Reference::Env(name), _, _) => variable(name),
            (Reference::File(path), Some(folder), _) => {
                let (folder, path) = (folder.clone(), PathBuf::from(path));
                let read = tokio::task::spawn_blocking(move || file(&folder, &path)).await;
                read.unwrap_or_else(|_| Err(Unread::Away("the file was not read to its end".to_owned())))
            }
            (Reference::Vault { mount, path, field }, _, Some(vault)) => vault.read(owner, mount, path, field).await,
            _ => Err(Unread::Refused("the operator did not open this way".to_owned())),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a variable that the operator listed for credentials is no setting and is read when it is used"
)]
fn variable(name: &str) -> Result<Secret, Unread> {
    let refused = |text: &str| Err(Unread::Refused(text.to_owned()));
    match std::env::var(name) {
        Ok(text) => Ok(Secret::new(text)),
        Err(std::env::VarError::NotPresent) => refused("the server's environment has no such variable"),
        Err(std::env::VarError::NotUnicode(_)) => refused("the variable is no text"),
    }
}

/// A whole file that is below the folder once every link on the way is followed; without the line break at its end.
fn file(folder: &Path, path: &Path) -> Result<Secret, Unread> {
    let refused = |text: String| Unread::Refused(text);
    let root = folder.canonicalize().map_err(|error| refused(format!("the folder of secrets.files cannot be read: {}", error.kind())))?;
    let found = path.canonicalize().map_err(|error| refused(format!("the file cannot be read: {}", error.kind())))?;
    if !found.starts_with(&root) {
        return Err(refused("a link leads out of the folder that the operator named in secrets.files".to_owned()));
    }
    // Looked at before it is opened: a pipe would hold who opens it.
    if !found.metadata().is_ok_and(|about| about.is_file()) {
        return Err(refused("it is no file".to_owned()));
    }
    let mut text = String::new();
    let read = File::open(&found).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    let size = read.map_err(|error| refused(format!("the file cannot be read as text: {}", error.kind())))?;
    if size as u64 > MOST_BYTES {
        return Err(refused(format!("the file is larger than {} KiB", MOST_BYTES >> 10)));
    }
    if text.ends_with('\n') {
        text.truncate(text.len() - if text.ends_with("\r\n") { 2 } else { 1 });
    }
    Ok(Secret::new(text))
}
