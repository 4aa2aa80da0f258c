//! The folders that triggers may watch, on this machine: opened part by part from a folder of the operator's, never through a link.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::file::{FILE_CHUNK, FileValue, Files, NewFile};
use mainspring_model::id::OrgId;
use mainspring_model::watch::{Folders, MOST_WATCHED, WatchedFile, fits, not_allowed};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Entries of a folder that one look goes through, whatever fits.
const MOST_ENTRIES: usize = 200_000;

/// A folder below which plans may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRoot {
    /// Whose plans; everybody's when `None`.
    pub org: Option<OrgId>,
    /// From the root of the machine.
    pub path: PathBuf,
}

/// The folders that the operator named.
pub struct MachineFolders(Arc<[WatchRoot]>);

impl MachineFolders {
    pub fn new(roots: Vec<WatchRoot>) -> MachineFolders {
        MachineFolders(roots.into())
    }

    /// The folder itself, from the operator's folder down; blocks.
    fn place(&self, org: OrgId, path: &str) -> Result<Place, Fault> {
        let wanted = Path::new(path);
        let plain = wanted.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        // The nearest folder that was named decides: one organization's own may lie in everybody's.
        let nearest =
            self.0.iter().filter(|root| wanted.starts_with(&root.path)).map(|root| &root.path).max_by_key(|path| path.components().count());
        let root = self.0.iter().find(|root| Some(&root.path) == nearest && root.org.is_none_or(|of| of == org));
        let Some(root) = root.filter(|_| plain) else { return Err(not_allowed(path)) };
        let below = wanted.strip_prefix(&root.path).unwrap_or(Path::new("")).components().map(|part| part.as_os_str().to_owned());
        Ok(Place { root: root.path.clone(), below: below.collect(), shown: path.to_owned() })
    }
}

/// A folder that may be opened.
struct Place {
    root: PathBuf,
    below: Vec<std::ffi::OsString>,
    shown: String,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Of a device or a pipe nobody waits for a first byte.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Place {
    fn open(&self) -> Result<OwnedFd, Fault> {
        let mut folder = rustix::fs::open(&self.root, FOLDER, Mode::empty()).map_err(|error| self.unreadable(error))?;
        for part in &self.below {
            let next = rustix::fs::openat(&folder, part, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            folder = next.map_err(|error| self.unreadable(error))?;
        }
        Ok(folder)
    }

    fn list(&self, pattern: &str) -> Result<Vec<WatchedFile>, Fault> {
        let folder = self.open()?;
        let entries = Dir::read_from(&folder).map_err(|error| self.unreadable(error))?;
        let mut found = Vec::new();
        for (count, entry) in entries.enumerate() {
            let entry = entry.map_err(|error| self.unreadable(error))?;
            let name = entry.file_name();
            if count >= MOST_ENTRIES || found.len() > MOST_WATCHED {
                let message = format!(
                    "the folder \"{}\" has more than {MOST_WATCHED} files that fit, or {MOST_ENTRIES} entries: move what is done elsewhere",
                    self.shown
                );
                return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
            }
            if fits(pattern, &name.to_string_lossy())
                && let Some(file) = watched(&folder, name)
            {
                found.push(file);
            }
        }
        if found.len() > MOST_WATCHED {
            let message = format!("the folder \"{}\" has more than {MOST_WATCHED} files that fit: move what is done elsewhere", self.shown);
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        Ok(found)
    }

    /// The file, while it is as it was found.
    fn open_file(&self, file: &WatchedFile) -> Result<Option<OwnedFd>, Fault> {
        let folder = self.open()?;
        let Ok(name) = CString::new(file.raw.clone()) else { return Ok(None) };
        // A name of an entry has none; what has one is a way.
        if file.raw.contains(&b'/') || matches!(file.raw.as_slice(), b"" | b"." | b"..") {
            return Ok(None);
        }
        let opened = match rustix::fs::openat(&folder, &name, FILE, Mode::empty()) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            // Of this file alone: it must not keep others from their runs.
            Err(Errno::ACCESS | Errno::PERM) => {
                let message = format!("the server's user may not read the file \"{}\" in \"{}\"", file.name, self.shown);
                return Err(Fault::new(Code::other("FILE_UNREADABLE"), message));
            }
            Err(error) => return Err(self.unreadable(error)),
        };
        Ok(is_still(&opened, file).then_some(opened))
    }

    fn unreadable(&self, error: Errno) -> Fault {
        let reason = match error {
            Errno::LOOP => "a part of it is a link, and links are not followed".to_owned(),
            // What a link that is no folder gives with O_DIRECTORY and O_NOFOLLOW.
            Errno::NOTDIR => "a part of it is no folder, or a link, and links are not followed".to_owned(),
            other => std::io::Error::from(other).to_string(),
        };
        let mut fault = Fault::new(Code::other("FOLDER_UNREADABLE"), format!("the folder \"{}\" cannot be read: {reason}", self.shown));
        fault.class = Class::Transient;
        fault.retryable = true;
        fault
    }
}

/// A plain file by its name; `None` for what is none, or is gone.
fn watched(folder: &OwnedFd, name: &CStr) -> Option<WatchedFile> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let shown = OsStr::from_bytes(name.to_bytes()).to_string_lossy().into_owned();
    let (size, modified_ns) = version(&stat)?;
    Some(WatchedFile { name: shown, raw: name.to_bytes().to_vec(), size, modified_ns })
}

/// Size and time; `None` for what is no plain file.
fn version(stat: &Stat) -> Option<(u64, i128)> {
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        .then(|| (u64::try_from(stat.st_size).unwrap_or(0), i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec)))
}

fn is_still(opened: &OwnedFd, file: &WatchedFile) -> bool {
    rustix::fs::fstat(opened).ok().as_ref().and_then(version) == Some((file.size, file.modified_ns))
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::internal(error.to_string()))?
}

#[async_trait]
impl Folders for MachineFolders {
    async fn list(&self, org: OrgId, path: &str, pattern: &str) -> Result<Vec<WatchedFile>, Fault> {
        let (place, pattern) = (self.place(org, path)?, pattern.to_owned());
        apart(move || place.list(&pattern)).await
    }

    async fn copy(&self, org: OrgId, path: &str, file: &WatchedFile, into: &dyn Files, keep_ms: u64) -> Result<Option<FileValue>, Fault> {
        let (place, wanted) = (self.place(org, path)?, file.clone());
        let Some(opened) = apart(move || place.open_file(&wanted)).await? else { return Ok(None) };
        let opened = Arc::new(opened);
        let new = NewFile { name: file.name.clone(), media_type: None, expires_in_ms: Some(Some(keep_ms)) };
        let mut writer = into.create(new).await?;
        let mut left = file.size;
        while left > 0 {
            let (source, most) = (opened.clone(), usize::try_from(left).unwrap_or(FILE_CHUNK).min(FILE_CHUNK));
            let piece = apart(move || {
                let mut piece = vec![0; most];
                let count = rustix::io::read(source.as_fd(), &mut piece)
                    .map_err(|error| Fault::internal(std::io::Error::from(error).to_string()))?;
                piece.truncate(count);
                Ok(piece)
            })
            .await?;
            if piece.is_empty() {
                return Ok(None);
            }
            left -= piece.len() as u64;
            writer.write(&piece).await?;
        }
        // What was written to meanwhile is another version, and is copied when it has settled.
        if !is_still(&opened, file) {
            return Ok(None);
        }
        writer.finish().await.map(Some)
    }
}
