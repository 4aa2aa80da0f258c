//! The bytes of files in a bucket of any store that speaks S3: each file an object, sent in parts while it is written.

mod connect;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mainspring_model::file::FILE_CHUNK;
use mainspring_model::id::{FileId, OrgId};
use mainspring_model::store::{FileBytes, StoreError};
use object_store::aws::AmazonS3;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutPayload};

pub use connect::BucketTerms;
use upload::Upload;

/// Of the parts in which a file is sent, in bytes: the least that every store takes, so that many uploads fit into memory.
const PART: usize = 5 << 20;
/// Parts of one file, as S3 has it.
const MOST_PARTS: usize = 10_000;

/// A bucket. Files that this process is writing are known here; those of one that died are known by a mark beside the object.
pub struct Bucket {
    client: Arc<AmazonS3>,
    prefix: String,
    /// For whoever reads an error: the bucket and where it is.
    place: String,
    uploads: Mutex<HashMap<FileId, Upload>>,
}

impl Bucket {
    /// Writes a small object, reads it and removes it: what files need, before any comes.
    ///
    /// # Errors
    /// Why the bucket cannot be used, for the operator.
    #[expect(clippy::disallowed_methods, reason = "two nodes that start at once must not meet; no journal ever has this name")]
    pub async fn probe(&self) -> Result<(), StoreError> {
        let name = uuid::Uuid::now_v7().as_simple().to_string();
        let (path, text) = (Path::from(format!("{}/probe/{name}", self.prefix)), name.into_bytes());
        self.client.put(&path, PutPayload::from(text.clone())).await.map_err(|error| self.told("cannot be written", &error))?;
        let read = match self.client.get_range(&path, 0..text.len() as u64).await {
            Ok(read) => read,
            Err(error) => return Err(self.told("cannot be read", &error)),
        };
        self.client.delete(&path).await.map_err(|error| self.told("lets nothing be removed", &error))?;
        if read != text {
            return Err(self.failed("does not give back what was written"));
        }
        Ok(())
    }

    fn path(&self, org: OrgId, id: FileId) -> Path {
        Path::from(format!("{}/files/{}/{}", self.prefix, org.0.as_simple(), id.0.as_simple()))
    }

    /// Where the id of an upload in parts stands as long as it is not finished.
    fn mark(&self, org: OrgId, id: FileId) -> Path {
        Path::from(format!("{}/uploads/{}/{}", self.prefix, org.0.as_simple(), id.0.as_simple()))
    }

    fn take(&self, id: FileId) -> Option<Upload> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    fn keep(&self, id: FileId, upload: Upload) {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).insert(id, upload);
    }

    fn failed(&self, why: &str) -> StoreError {
        StoreError::Failed(format!("{} {why}", self.place))
    }

    /// An error for whoever runs the server: what it means first, then what the store said.
    fn told(&self, what: &str, error: &Error) -> StoreError {
        let text = error.to_string();
        let meaning = match error {
            Error::Unauthenticated { .. } => "it does not know the key: see MAINSPRING_S3_KEY_ID and MAINSPRING_S3_SECRET",
            _ if ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"].iter().any(|code| text.contains(code)) => {
                "it does not take the key, its secret or the region: see MAINSPRING_S3_KEY_ID, MAINSPRING_S3_SECRET and AWS_REGION"
            }
            Error::PermissionDenied { .. } => "the key may not do this: it needs to write, read and remove objects, and to abort uploads",
            _ if text.contains("NoSuchBucket") => "there is no such bucket: make it, or see S3_BUCKET",
            Error::NotFound { .. } => "there is no such bucket or object",
            _ => "it does not answer as it should",
        };
        let said: String = text.chars().take(400).collect();
        StoreError::Failed(format!("{} {what}: {meaning} ({said})", self.place))
    }
}

#[async_trait]
impl FileBytes for Bucket {
    async fn append(&self, org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError> {
        let mut upload = match self.take(id) {
            Some(upload) if upload.chunks == no => upload,
            None if no == 0 => Upload::default(),
            _ => return Err(StoreError::Conflict(format!("the file {id} was given up while it was written; send it again"))),
        };
        upload.chunks += 1;
        upload.buffer.extend_from_slice(&bytes);
        if upload.buffer.len() >= PART {
            self.send(org, id, &mut upload).await?;
        }
        self.keep(id, upload);
        Ok(())
    }

    async fn finish(&self, org: OrgId, id: FileId, size: u64) -> Result<(), StoreError> {
        let Some(upload) = self.take(id) else {
            return if size == 0 { Ok(()) } else { Err(StoreError::Conflict(format!("the file {id} was given up while it was written"))) };
        };
        if upload.length() != size {
            return Err(self.failed(&format!("has {} bytes of the file {id}, which has {size}", upload.length())));
        }
        self.end(org, id, upload).await
    }

    async fn read(&self, org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError> {
        let from = u64::from(no) * FILE_CHUNK as u64;
        let upto = size.min(from.saturating_add(FILE_CHUNK as u64));
        if from >= upto {
            return Ok(Vec::new());
        }
        match self.client.get_range(&self.path(org, id), from..upto).await {
            Ok(bytes) if bytes.len() as u64 == upto - from => Ok(bytes.into()),
            Ok(bytes) => Err(self.failed(&format!("gave {} bytes of the file {id} and should have given {}", bytes.len(), upto - from))),
            Err(Error::NotFound { .. }) => Err(StoreError::NotFound { what: format!("the bytes of the file {id}") }),
            Err(error) => Err(self.told(&format!("does not give the file {id}"), &error)),
        }
    }

    async fn remove(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        drop(self.take(id));
        self.abort(org, id).await?;
        match self.client.delete(&self.path(org, id)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.told(&format!("does not remove the file {id}"), &error)),
        }
    }
}
