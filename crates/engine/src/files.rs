//! An organization's files, as its steps and its callers reach them: cut into pieces, hashed and counted while they are written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::file::{FILE_CHUNK, FileValue, FileWriter, Files, NewFile, media_type, safe_name};
use mainspring_model::id::{FileId, OrgId, Owner, RunId};
use mainspring_model::run::RunHeader;
use mainspring_model::store::{FileEnd, FileRecord, FileTotals, Paging, StoreError};
use sha2::{Digest, Sha256};

use crate::engine::Inner;

/// Files of one organization that one process writes at once.
const MOST_WRITERS: u32 = 32;

/// What is being written in this process, so that many at once do not fill the disk before the quota is asked.
#[derive(Default)]
pub(crate) struct Arriving(Mutex<HashMap<OrgId, (u32, u64)>>);

impl Arriving {
    /// Bytes that are arriving with these.
    fn add(&self, org: OrgId, writers: u32, bytes: u64) -> (u32, u64) {
        let mut all = self.0.lock().expect("no panic happens while numbers are added");
        let of = all.entry(org).or_default();
        of.0 += writers;
        of.1 += bytes;
        *of
    }

    fn end(&self, org: OrgId, bytes: u64) {
        let mut all = self.0.lock().expect("no panic happens while numbers are added");
        let Some(of) = all.get_mut(&org) else { return };
        *of = (of.0.saturating_sub(1), of.1.saturating_sub(bytes));
        if of.0 == 0 {
            all.remove(&org);
        }
    }
}

/// The files of an owner's organization. What is written is the owner's.
#[derive(Clone)]
pub struct OrgFiles {
    inner: Arc<Inner>,
    owner: Owner,
    from: Option<(RunId, String)>,
}

impl OrgFiles {
    /// For somebody who calls from outside: what is written stays until it is removed.
    pub(crate) fn of(inner: Arc<Inner>, owner: Owner) -> OrgFiles {
        OrgFiles { inner, owner, from: None }
    }

    pub(crate) fn of_step(inner: Arc<Inner>, header: &RunHeader, path: &str) -> OrgFiles {
        OrgFiles { inner, owner: header.owner, from: Some((header.id, path.to_owned())) }
    }

    /// Bytes of one file, at most.
    pub fn most(&self) -> u64 {
        self.inner.settings.files.most
    }

    fn expiry(&self, new: &NewFile) -> Option<i64> {
        let kept = self.inner.settings.files.kept.as_millis();
        let for_steps = self.from.as_ref().map(|_| u64::try_from(kept).unwrap_or(u64::MAX));
        let within = new.expires_in_ms.unwrap_or(for_steps)?;
        Some(self.inner.clock.now().saturating_add(i64::try_from(within).unwrap_or(i64::MAX)))
    }
}

#[async_trait]
impl Files for OrgFiles {
    async fn create(&self, new: NewFile) -> Result<Box<dyn FileWriter>, Fault> {
        let (inner, org) = (&self.inner, self.owner.org);
        let id = FileId(RunId::at(inner.clock.now(), inner.random_10()).0);
        let name = safe_name(&new.name);
        let value = FileValue { file: id, media_type: media_type(new.media_type.as_deref(), &name), name, size: 0, sha256: String::new() };
        let (run, step) = self.from.clone().unzip();
        let record = FileRecord { owner: self.owner, value, created_at: 0, expires_at: self.expiry(&new), run, step };
        let used = inner.store.file_totals(org).await.map_err(|error| failed(&error))?;
        let (writers, _) = inner.arriving.add(org, 1, 0);
        // From here on its drop counts it out again.
        let buffer = Vec::new();
        let writer = Writer { inner: inner.clone(), record, used, buffer, sha256: Sha256::new(), chunks: 0, taken: 0, ended: false };
        if writers > MOST_WRITERS {
            let message = format!("{MOST_WRITERS} files are being written in this organization at once; try again when some are done");
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        writer.has_room(0)?;
        inner.store.begin_file(org, id).await.map_err(|error| failed(&error))?;
        Ok(Box::new(writer))
    }

    async fn find(&self, id: FileId) -> Result<FileValue, Fault> {
        let found = self.inner.store.get_file(self.owner.org, id).await.map_err(|error| failed(&error))?;
        found.map(|file| file.value).ok_or_else(|| unknown(id))
    }

    async fn read(&self, file: &FileValue, no: u32) -> Result<Vec<u8>, Fault> {
        let read = self.inner.store.read_file(self.owner.org, file.file, file.size, no).await;
        read.map_err(|error| match error {
            StoreError::NotFound { .. } => unknown(file.file),
            error => failed(&error),
        })
    }

    async fn list(&self, limit: u32) -> Result<Vec<FileValue>, Fault> {
        let (mut paging, mut found) = (Paging { limit: limit.min(200), cursor: None }, Vec::new());
        loop {
            let page = self.inner.store.list_files(self.owner.org, &paging).await.map_err(|error| failed(&error))?;
            found.extend(page.items.into_iter().map(|file| file.value));
            paging.cursor = page.next_cursor;
            if found.len() >= limit as usize || paging.cursor.is_none() {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }

    async fn delete(&self, id: FileId) -> Result<bool, Fault> {
        self.inner.store.delete_file(self.owner.org, id).await.map_err(|error| failed(&error))
    }
}

struct Writer {
    inner: Arc<Inner>,
    record: FileRecord,
    /// By the organization, when this began.
    used: FileTotals,
    /// Less than a chunk.
    buffer: Vec<u8>,
    sha256: Sha256,
    chunks: u32,
    /// Bytes that were counted as arriving.
    taken: u64,
    ended: bool,
}

impl Writer {
    fn has_room(&self, more: u64) -> Result<(), Fault> {
        let terms = &self.inner.settings.files;
        if self.taken.saturating_add(more) > terms.most {
            return Err(too_large(&self.record.value.name, terms.most));
        }
        let (_, arriving) = self.inner.arriving.add(self.record.owner.org, 0, 0);
        if self.used.bytes.saturating_add(arriving).saturating_add(more.max(1)) > terms.quota {
            return Err(over(self.used, terms.quota));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let bytes = std::mem::take(&mut self.buffer);
        self.sha256.update(&bytes);
        let FileRecord { owner, value, .. } = &self.record;
        self.inner.store.append_file(owner.org, value.file, self.chunks, bytes).await.map_err(|error| failed(&error))?;
        self.chunks += 1;
        Ok(())
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        self.has_room(bytes.len() as u64)?;
        self.taken += bytes.len() as u64;
        self.inner.arriving.add(self.record.owner.org, 0, bytes.len() as u64);
        while !bytes.is_empty() {
            if self.buffer.capacity() == 0 && bytes.len() + self.buffer.len() >= FILE_CHUNK / 8 {
                self.buffer.reserve_exact(FILE_CHUNK);
            }
            let (now, later) = bytes.split_at(bytes.len().min(FILE_CHUNK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == FILE_CHUNK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<FileValue, Fault> {
        if !self.buffer.is_empty() {
            self.flush().await?;
        }
        let hash = std::mem::take(&mut self.sha256).finalize();
        self.record.value.sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.record.value.size = self.taken;
        let quota = self.inner.settings.files.quota;
        match self.inner.store.finish_file(&self.record, quota).await.map_err(|error| failed(&error))? {
            FileEnd::Kept(file) => {
                self.ended = true;
                Ok(file.value)
            }
            FileEnd::Over(used) => Err(over(used, quota)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let (org, id) = (self.record.owner.org, self.record.value.file);
        self.inner.arriving.end(org, self.taken);
        if self.ended {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let store = self.inner.store.clone();
        // Best effort: what this does not reach is swept.
        runtime.spawn(async move {
            if let Err(error) = store.drop_file(org, id).await {
                tracing::warn!(%error, "bytes of a file that was not finished stay until the sweep");
            }
        });
    }
}

fn unknown(id: FileId) -> Fault {
    let message = format!("the file {id} is not there: it was removed, it has expired, or it never was this organization's");
    Fault::new(Code::other("FILE_NOT_FOUND"), message)
}

fn too_large(name: &str, most: u64) -> Fault {
    let message =
        format!("\"{name}\" is larger than {most} bytes, the most that one file may have here; split it, or raise MAINSPRING_FILE_SIZE");
    Fault::new(Code::other("FILE_TOO_LARGE"), message)
}

fn over(used: FileTotals, quota: u64) -> Fault {
    let message = format!(
        "the organization keeps {} bytes in {} files and may keep {quota}; remove some with \"mainspring file remove\" or \
         DELETE /api/files/{{id}}, let steps write with expires_in, or raise MAINSPRING_FILE_QUOTA",
        used.bytes, used.files
    );
    Fault::new(Code::other("FILE_QUOTA"), message)
}

/// The store's trouble, under its own code; it may pass.
fn failed(error: &StoreError) -> Fault {
    let mut fault = Fault::new(Code::other(error.code()), error.to_string());
    fault.class = Class::Transient;
    fault.retryable = !matches!(error, StoreError::Conflict(_));
    fault
}
