//! Files of organizations: a row for each, and their bytes in chunks, which are somewhere else.

use async_trait::async_trait;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::file::FileValue;
use crate::id::{FileId, OrgId, Owner, RunId};

/// A file that is there whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    pub owner: Owner,
    pub value: FileValue,
    pub created_at: Millis,
    /// It is removed then; `None`: it stays until somebody removes it.
    pub expires_at: Option<Millis>,
    /// The run and the step that wrote it.
    pub run: Option<RunId>,
    pub step: Option<String>,
}

/// What an organization keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileTotals {
    pub files: u64,
    pub bytes: u64,
}

/// How the writing of a file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEnd {
    Kept(FileRecord),
    /// It would have passed the quota; nothing of it is kept. What is used without it.
    Over(FileTotals),
}

/// Writing goes: begin, append each chunk in order, finish. What is begun and neither finished nor dropped is swept after a while.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Notes that bytes of this file may be there, before any is.
    async fn begin_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError>;

    /// Chunk `no` (from 0). Each has [`FILE_CHUNK`](crate::file::FILE_CHUNK) bytes, the last one fewer.
    async fn append_file(&self, org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// The bytes are durable before the row is, and the organization keeps at most `quota` bytes, whoever else writes. Times other than
    /// the end are the store's. `Conflict` when it took so long that the bytes were swept.
    async fn finish_file(&self, file: &FileRecord, quota: u64) -> Result<FileEnd, StoreError>;

    /// Removes the bytes of a file that was begun and will not be finished.
    async fn drop_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError>;

    /// `None` also when it has expired.
    async fn get_file(&self, org: OrgId, id: FileId) -> Result<Option<FileRecord>, StoreError>;

    /// Newest first.
    async fn list_files(&self, org: OrgId, paging: &Paging) -> Result<Page<FileRecord>, StoreError>;

    async fn file_totals(&self, org: OrgId) -> Result<FileTotals, StoreError>;

    /// Chunk `no` of a file of `size` bytes; empty behind its end. `NotFound` when its bytes are gone.
    async fn read_file(&self, org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError>;

    /// `false` when there was none. Its bytes follow, at the latest with the next sweep.
    async fn delete_file(&self, org: OrgId, id: FileId) -> Result<bool, StoreError>;

    /// Removes some files that have expired, and bytes that nobody will claim; how many.
    async fn sweep_files(&self) -> Result<u64, StoreError>;
}

/// Where the bytes of files are, when it is not the database: a folder, or a bucket of an object store.
#[async_trait]
pub trait FileBytes: Send + Sync {
    /// Chunks come in order, each once.
    async fn append(&self, org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// Durable, and `size` bytes, when this returns. A file without a chunk is empty.
    async fn finish(&self, org: OrgId, id: FileId, size: u64) -> Result<(), StoreError>;

    /// As [`FileStore::read_file`].
    async fn read(&self, org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError>;

    /// Whatever of it is there. None is no error.
    async fn remove(&self, org: OrgId, id: FileId) -> Result<(), StoreError>;
}
