//! Watched folders: what is found and copied, and that nothing leads out of the folders of the operator.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_model::fault::Fault;
use mainspring_model::file::{FileValue, FileWriter, Files, NewFile};
use mainspring_model::id::{FileId, OrgId};
use mainspring_model::watch::{Folders, WatchedFile};
use mainspring_providers::folders::{MachineFolders, WatchRoot};
use uuid::Uuid;

/// A file's name and its bytes.
type Named = (String, Vec<u8>);

/// Keeps what is written, in memory.
#[derive(Default)]
struct Kept(Arc<Mutex<Vec<Named>>>);

struct Writing {
    kept: Arc<Mutex<Vec<Named>>>,
    name: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl Files for Kept {
    async fn create(&self, new: NewFile) -> Result<Box<dyn FileWriter>, Fault> {
        Ok(Box::new(Writing { kept: self.0.clone(), name: new.name, bytes: Vec::new() }))
    }
    async fn find(&self, _: FileId) -> Result<FileValue, Fault> {
        unreachable!()
    }
    async fn read(&self, _: &FileValue, _: u32) -> Result<Vec<u8>, Fault> {
        unreachable!()
    }
    async fn list(&self, _: u32) -> Result<Vec<FileValue>, Fault> {
        unreachable!()
    }
    async fn delete(&self, _: FileId) -> Result<bool, Fault> {
        unreachable!()
    }
}

#[async_trait]
impl FileWriter for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<FileValue, Fault> {
        let size = self.bytes.len() as u64;
        self.kept.lock().unwrap().push((self.name.clone(), self.bytes));
        Ok(FileValue { file: FileId(Uuid::nil()), name: self.name, media_type: String::new(), size, sha256: String::new() })
    }
}

fn everybody(path: &Path) -> MachineFolders {
    MachineFolders::new(vec![WatchRoot { org: None, path: path.to_owned() }])
}

async fn names(folders: &MachineFolders, path: &Path, pattern: &str) -> Vec<String> {
    let mut names: Vec<String> =
        folders.list(OrgId::LOCAL, path.to_str().unwrap(), pattern).await.unwrap().into_iter().map(|file| file.name).collect();
    names.sort();
    names
}

async fn refused(folders: &MachineFolders, path: &str) -> String {
    folders.list(OrgId::LOCAL, path, "*").await.unwrap_err().code.as_str().to_owned()
}

#[tokio::test]
async fn plain_files_that_fit_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let folders = everybody(folder.path());
    fs::write(folder.path().join("a.csv"), "12345").unwrap();
    fs::write(folder.path().join("b.txt"), "").unwrap();
    fs::write(folder.path().join(".hidden"), "").unwrap();
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"od\xff.csv")), "x").unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::write(folder.path().join("below/c.csv"), "").unwrap();
    symlink(folder.path().join("a.csv"), folder.path().join("link.csv")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.csv"), rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(names(&folders, folder.path(), "*").await, ["a.csv", "b.txt", "od\u{fffd}.csv"]);
    assert_eq!(names(&folders, folder.path(), "*.csv").await, ["a.csv", "od\u{fffd}.csv"]);
    assert_eq!(names(&folders, &folder.path().join("below"), "*").await, ["c.csv"]);
    let found = folders.list(OrgId::LOCAL, folder.path().to_str().unwrap(), "a.csv").await.unwrap();
    assert_eq!((found[0].size, found[0].raw.as_slice()), (5, b"a.csv".as_slice()));
}

#[tokio::test]
async fn nothing_leads_out_of_what_is_allowed() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "s").unwrap();
    fs::create_dir(inside.path().join("sub")).unwrap();
    let folders = everybody(inside.path());
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    assert_eq!(refused(&folders, &shown(outside.path())).await, "FOLDER_NOT_ALLOWED");
    assert_eq!(refused(&folders, "/").await, "FOLDER_NOT_ALLOWED");
    assert_eq!(refused(&folders, "relative").await, "FOLDER_NOT_ALLOWED");
    assert_eq!(refused(&folders, &format!("{}/sub/../../x", shown(inside.path()))).await, "FOLDER_NOT_ALLOWED");
    assert_eq!(refused(&folders, &format!("{}2", shown(inside.path()))).await, "FOLDER_NOT_ALLOWED", "a longer name is another folder");
    // Links to folders, as the folder itself and as a part of its path.
    symlink(outside.path(), inside.path().join("way")).unwrap();
    fs::create_dir(outside.path().join("deep")).unwrap();
    assert_eq!(refused(&folders, &shown(&inside.path().join("way"))).await, "FOLDER_UNREADABLE");
    assert_eq!(refused(&folders, &shown(&inside.path().join("way/deep"))).await, "FOLDER_UNREADABLE");
    assert_eq!(refused(&folders, &shown(&inside.path().join("missing"))).await, "FOLDER_UNREADABLE");
    // A file that was one when it was found, and is a link when it is copied.
    fs::write(inside.path().join("file"), "s").unwrap();
    let found = folders.list(OrgId::LOCAL, &shown(inside.path()), "file").await.unwrap().remove(0);
    fs::remove_file(inside.path().join("file")).unwrap();
    symlink(outside.path().join("secret"), inside.path().join("file")).unwrap();
    let kept = Kept::default();
    assert_eq!(folders.copy(OrgId::LOCAL, &shown(inside.path()), &found, &kept, 1).await.unwrap(), None);
    let odd = WatchedFile { raw: b"../secret".to_vec(), ..found };
    assert_eq!(folders.copy(OrgId::LOCAL, &shown(inside.path()), &odd, &kept, 1).await.unwrap(), None, "no look gives such a name");
    assert_eq!(*kept.0.lock().unwrap(), []);
    assert_eq!(refused(&MachineFolders::new(vec![]), &shown(inside.path())).await, "FOLDER_NOT_ALLOWED", "none unless named");
}

#[tokio::test]
async fn a_folder_of_one_organization_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = OrgId(Uuid::from_u128(7));
    let folders = MachineFolders::new(vec![WatchRoot { org: Some(theirs), path: folder.path().to_owned() }]);
    let path = folder.path().to_str().unwrap();
    assert_eq!(refused(&folders, path).await, "FOLDER_NOT_ALLOWED");
    assert_eq!(folders.list(theirs, path, "*").await.unwrap(), []);
}

#[tokio::test]
async fn a_folder_of_one_organization_within_everybodys_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("theirs");
    fs::create_dir(&inner).unwrap();
    let theirs = OrgId(Uuid::from_u128(7));
    let root = |org, path: &Path| WatchRoot { org, path: path.to_owned() };
    for roots in [[root(None, folder.path()), root(Some(theirs), &inner)], [root(Some(theirs), &inner), root(None, folder.path())]] {
        let folders = MachineFolders::new(roots.into());
        assert_eq!(refused(&folders, inner.to_str().unwrap()).await, "FOLDER_NOT_ALLOWED");
        assert_eq!(folders.list(theirs, inner.to_str().unwrap(), "*").await.unwrap(), []);
        assert_eq!(folders.list(OrgId::LOCAL, folder.path().to_str().unwrap(), "*").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_copy_is_the_file_as_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let (folders, kept, path) = (everybody(folder.path()), Kept::default(), folder.path().to_str().unwrap());
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(folder.path().join("big"), &bytes).unwrap();
    let found = folders.list(OrgId::LOCAL, path, "big").await.unwrap().remove(0);
    let copied = folders.copy(OrgId::LOCAL, path, &found, &kept, 1).await.unwrap().unwrap();
    assert_eq!((copied.size, copied.name.as_str()), (600_000, "big"));
    assert!(kept.0.lock().unwrap()[0].1 == bytes);
    fs::write(folder.path().join("big"), b"changed").unwrap();
    assert_eq!(folders.copy(OrgId::LOCAL, path, &found, &kept, 1).await.unwrap(), None, "it is another version");
    fs::remove_file(folder.path().join("big")).unwrap();
    assert_eq!(folders.copy(OrgId::LOCAL, path, &found, &kept, 1).await.unwrap(), None, "it is gone");
}
