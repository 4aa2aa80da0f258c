//! Files that came with a request which may start nothing: they go again unless something is begun with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_model::file::Files;
use mainspring_model::id::{FileId, Owner};
use tokio::runtime::Handle;

use super::api::Api;

/// Dropped with a request that was given up, it removes its files; what it does not reach goes when it expires.
pub struct KeptFiles {
    api: Arc<Api>,
    owner: Owner,
    files: Vec<FileId>,
    /// Somebody may have them: they stay.
    left: AtomicBool,
}

impl KeptFiles {
    pub fn new(api: &Arc<Api>, owner: Owner) -> KeptFiles {
        KeptFiles { api: api.clone(), owner, files: Vec::new(), left: AtomicBool::new(false) }
    }

    pub fn add(&mut self, file: FileId) {
        self.files.push(file);
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Something begins that has them, or nobody will know whether it did.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Nothing was begun with them.
    pub async fn remove(&self) {
        self.leave();
        remove(&self.api, self.owner, &self.files).await;
    }
}

impl Drop for KeptFiles {
    fn drop(&mut self) {
        if self.files.is_empty() || self.left.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (api, owner, files) = (self.api.clone(), self.owner, std::mem::take(&mut self.files));
        runtime.spawn(async move { remove(&api, owner, &files).await });
    }
}

async fn remove(api: &Api, owner: Owner, files: &[FileId]) {
    for file in files {
        if let Err(error) = api.engine.files(owner).delete(*file).await {
            tracing::warn!(%error, %file, "a file of a request that started nothing could not be removed; it goes when it expires");
        }
    }
}
