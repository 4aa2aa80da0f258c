//! The bytes of files in a folder beside the database, each under its own id: `files/3f/0197…3f`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mainspring_model::file::FILE_CHUNK;
use mainspring_model::id::{FileId, OrgId};
use mainspring_model::store::{FileBytes, StoreError};

use crate::lock::unwritable;

/// The folder's name in the data folder.
pub(crate) const FOLDER: &str = "files";

/// All its own calls block.
#[derive(Clone)]
pub(crate) struct FileFolder {
    root: Arc<Path>,
}

impl FileFolder {
    pub(crate) fn new(data_folder: &Path) -> FileFolder {
        FileFolder { root: data_folder.join(FOLDER).into() }
    }

    fn put(&self, id: FileId, no: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.part(id);
        let written = self.open(&path, no).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset(no)))?;
            file.write_all(bytes)
        });
        written.map_err(|error| unwritable(&path, &error))
    }

    /// Only the first chunk makes a file: what was swept meanwhile does not come back in part.
    fn open(&self, path: &Path, no: u32) -> std::io::Result<File> {
        if no > 0 {
            return File::options().write(true).open(path);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create(path)
    }

    pub(crate) fn end(&self, id: FileId, size: u64) -> Result<(), StoreError> {
        let (part, path) = (self.part(id), self.path(id));
        // One without bytes needs no file, here or in a copy.
        if size == 0 {
            return Ok(());
        }
        let ended = || {
            let file = File::options().write(true).open(&part)?;
            if file.metadata()?.len() != size {
                return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "it has not the length that was written"));
            }
            file.sync_all()?;
            fs::rename(&part, &path)?;
            // The names, too, must be on disk: the file's in its folder, and the folder's in the root.
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
            File::open(&self.root)?.sync_all()
        };
        ended().map_err(|error| unwritable(&part, &error))
    }

    pub(crate) fn get(&self, id: FileId, no: u32) -> Result<Vec<u8>, StoreError> {
        let path = self.path(id);
        // Grown step by step, a piece would leave its smaller selves behind in the allocator of every thread.
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            let left = file.metadata()?.len().saturating_sub(offset(no));
            bytes.reserve_exact(usize::try_from(left).unwrap_or(FILE_CHUNK).min(FILE_CHUNK));
            file.seek(SeekFrom::Start(offset(no)))?;
            file.take(FILE_CHUNK as u64).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::NotFound { what: format!("the bytes of the file {id}") }),
            Err(error) => Err(StoreError::Failed(format!("{}: {error}", path.display()))),
        }
    }

    /// Its bytes, also when somebody removes it meanwhile.
    pub(crate) fn whole(&self, id: FileId) -> Result<File, StoreError> {
        let path = self.path(id);
        File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::NotFound { what: format!("the bytes of the file {id}") },
            _ => StoreError::Failed(format!("{}: {error}", path.display())),
        })
    }

    /// Puts a chunk of a copy where it belongs; durable when this returns.
    pub(crate) fn restore(&self, id: FileId, no: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id);
        let written = self.open(&path, no).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset(no)))?;
            file.write_all(bytes)?;
            file.sync_data()
        });
        written.map_err(|error| unwritable(&path, &error))
    }

    pub(crate) fn delete(&self, id: FileId) -> Result<(), StoreError> {
        for path in [self.part(id), self.path(id)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(&path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, id: FileId) -> PathBuf {
        let name = id.0.as_simple().to_string();
        // Ids begin with their time: their ends spread.
        self.root.join(&name[30..]).join(name)
    }

    fn part(&self, id: FileId) -> PathBuf {
        self.path(id).with_extension("part")
    }
}

fn offset(no: u32) -> u64 {
    u64::from(no) * FILE_CHUNK as u64
}

/// The folder as the store uses it: on threads that may block.
#[async_trait]
impl FileBytes for FileFolder {
    async fn append(&self, _: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError> {
        apart(self, move |folder| folder.put(id, no, &bytes)).await
    }

    async fn finish(&self, _: OrgId, id: FileId, size: u64) -> Result<(), StoreError> {
        apart(self, move |folder| folder.end(id, size)).await
    }

    async fn read(&self, _: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError> {
        if size == 0 {
            return Ok(Vec::new());
        }
        apart(self, move |folder| folder.get(id, no)).await
    }

    async fn remove(&self, _: OrgId, id: FileId) -> Result<(), StoreError> {
        apart(self, move |folder| folder.delete(id)).await
    }
}

async fn apart<T: Send + 'static>(
    folder: &FileFolder,
    work: impl FnOnce(&FileFolder) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || work(&folder)).await.unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_by_chunk_and_nothing_half_written_is_a_file() {
        let data = tempfile::tempdir().unwrap();
        let folder = FileFolder::new(data.path());
        let id = FileId(uuid::Uuid::from_u128(7));
        let whole = vec![1; FILE_CHUNK];
        folder.put(id, 0, &whole).unwrap();
        folder.put(id, 1, b"end").unwrap();
        assert!(matches!(folder.get(id, 0), Err(StoreError::NotFound { .. })), "it is not there before its end");
        assert!(matches!(folder.end(id, 5), Err(StoreError::Failed(_))), "a length that lies");
        folder.end(id, FILE_CHUNK as u64 + 3).unwrap();
        assert_eq!((folder.get(id, 0).unwrap(), folder.get(id, 1).unwrap()), (whole, b"end".to_vec()));
        assert_eq!(folder.get(id, 2).unwrap(), b"");
        folder.delete(id).unwrap();
        folder.delete(id).unwrap();
        assert!(matches!(folder.put(id, 1, b"late"), Err(StoreError::Failed(_))), "what was swept does not come back in part");
    }
}
