//! One file on its way into a bucket: what is not sent yet, and the parts that are.

use mainspring_model::id::{FileId, OrgId};
use mainspring_model::store::StoreError;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Error, MultipartId, ObjectStoreExt, PutPayload};

use super::{Bucket, MOST_PARTS, PART};

#[derive(Default)]
pub(super) struct Upload {
    pub chunks: u32,
    /// Less than a part.
    pub buffer: Vec<u8>,
    /// Begun with the first part: smaller files are one request.
    id: Option<MultipartId>,
    parts: Vec<PartId>,
}

impl Upload {
    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.parts.len() as u64 * PART as u64 + self.buffer.len() as u64
    }
}

impl Bucket {
    /// Sends the parts that are full.
    pub(super) async fn send(&self, org: OrgId, id: FileId, upload: &mut Upload) -> Result<(), StoreError> {
        while upload.buffer.len() >= PART {
            let rest = upload.buffer.split_off(PART);
            let part = std::mem::replace(&mut upload.buffer, rest);
            self.send_part(org, id, upload, part).await?;
        }
        Ok(())
    }

    async fn send_part(&self, org: OrgId, id: FileId, upload: &mut Upload, part: Vec<u8>) -> Result<(), StoreError> {
        if upload.parts.len() >= MOST_PARTS {
            return Err(self.failed(&format!("takes no file of more than {} bytes", MOST_PARTS as u64 * PART as u64)));
        }
        let path = self.path(org, id);
        let multipart = match &upload.id {
            Some(multipart) => multipart.clone(),
            None => {
                let begun = self.client.create_multipart(&path).await.map_err(|error| self.told("begins no upload", &error))?;
                // Before any byte is there: whoever finds the file unfinished finds its upload too.
                let mark = self.client.put(&self.mark(org, id), PutPayload::from(begun.clone().into_bytes())).await;
                mark.map_err(|error| self.told("cannot be written", &error))?;
                upload.id.insert(begun).clone()
            }
        };
        let sent = self.client.put_part(&path, &multipart, upload.parts.len(), PutPayload::from(part)).await;
        upload.parts.push(sent.map_err(|error| self.told("cannot be written", &error))?);
        Ok(())
    }

    /// Makes an object of what was sent. It is there whole or not at all.
    pub(super) async fn end(&self, org: OrgId, id: FileId, mut upload: Upload) -> Result<(), StoreError> {
        let path = self.path(org, id);
        let rest = std::mem::take(&mut upload.buffer);
        if upload.id.is_none() {
            let put = self.client.put(&path, PutPayload::from(rest)).await;
            return put.map(drop).map_err(|error| self.told("cannot be written", &error));
        }
        if !rest.is_empty() {
            self.send_part(org, id, &mut upload, rest).await?;
        }
        let multipart = upload.id.unwrap_or_default();
        let done = self.client.complete_multipart(&path, &multipart, upload.parts).await;
        done.map_err(|error| self.told("does not finish an upload", &error))?;
        // A mark that stays goes with the file.
        if let Err(error) = self.client.delete(&self.mark(org, id)).await {
            tracing::debug!(%error, "the mark of an upload that is finished stays until its file goes");
        }
        Ok(())
    }

    /// Gives up the upload of a file, whoever began it: its parts cost room until then.
    pub(super) async fn abort(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        let mark = self.mark(org, id);
        let read = async { self.client.get(&mark).await?.bytes().await };
        let multipart = match read.await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(self.told("cannot be read", &error)),
        };
        match self.client.abort_multipart(&self.path(org, id), &multipart).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            // Finished or given up already.
            Err(error) if error.to_string().contains("NoSuchUpload") => {}
            Err(error) => return Err(self.told("does not give up an upload", &error)),
        }
        match self.client.delete(&mark).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.told("lets nothing be removed", &error)),
        }
    }
}
