//! What lies in the folder of plan files: names and stamps, seen without reading or following anything out of it.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mainspring_model::plan;

/// More files than this are not looked at.
pub const MOST_FILES: usize = 10_000;
/// Folders within folders.
const DEEPEST: usize = 4;
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// By this a file is known to be what it was: whoever writes it changes one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub fn is_large(self) -> bool {
        self.size > plan::MAX_BYTES as u64
    }
}

/// The folder at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// By path below the folder, with `/` between its parts.
    pub files: BTreeMap<String, Stamp>,
    /// What is passed over, by path, and why.
    pub refused: BTreeMap<String, String>,
    /// Which folder it is: another one may be mounted in its place.
    pub folder: (u64, u64),
}

/// # Errors
/// The folder itself cannot be read.
pub fn list(folder: &Path) -> io::Result<Listing> {
    // Links may point within the folder, as mounted ones do; this is what they are compared to.
    let root = fs::canonicalize(folder)?;
    let metadata = fs::metadata(&root)?;
    let mut listing = Listing { folder: (metadata.dev(), metadata.ino()), ..Listing::default() };
    fs::read_dir(&root)?;
    let mut open = vec![(root.clone(), String::new(), 0)];
    while let Some((at, below, depth)) = open.pop() {
        let entries = match fs::read_dir(&at) {
            Ok(entries) => entries,
            Err(error) => {
                listing.refused.insert(below, format!("the folder cannot be read: {error}"));
                continue;
            }
        };
        for entry in entries.flatten() {
            // Hidden names are editors' and mounts' own.
            let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned) else { continue };
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if depth < DEEPEST {
                    open.push((path, below, depth + 1));
                } else {
                    listing.refused.insert(below, format!("folders are looked into {DEEPEST} deep"));
                }
            } else if kind.is_symlink() && path.is_dir() {
                listing.refused.insert(below, "it is a link to a folder; link the files in it".to_owned());
            } else if is_plan_file(&path) {
                look(&root, &path, kind.is_symlink(), below, &mut listing);
            }
        }
    }
    Ok(listing)
}

pub fn is_plan_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

/// Whether a link of this name may lead there: an organization's subfolder leads to no other one. Folders with two dots are a mount's own.
fn is_own(root: &Path, below: &str, target: &Path) -> bool {
    let home = below.split_once('/').map_or_else(|| root.to_owned(), |(first, _)| root.join(first));
    let is_mount = target.strip_prefix(root).is_ok_and(|rest| rest.to_string_lossy().starts_with(".."));
    target.starts_with(home) || is_mount
}

fn look(root: &Path, path: &Path, is_link: bool, below: String, listing: &mut Listing) {
    if listing.files.len() >= MOST_FILES {
        listing.refused.insert(below, format!("there are more than {MOST_FILES} plan files"));
        return;
    }
    if is_link && !fs::canonicalize(path).is_ok_and(|target| is_own(root, &below, &target)) {
        listing.refused.insert(below, "it is a link that leads out of the folder, or nowhere".to_owned());
        return;
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => drop(listing.files.insert(below, Stamp::of(&metadata))),
        Ok(_) => drop(listing.refused.insert(below, "it is no plain file".to_owned())),
        // It went between the two looks.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => drop(listing.refused.insert(below, format!("it cannot be read: {error}"))),
    }
}

/// The text of a file that is still what it was when it was listed; `Ok(None)`: it is not, so it is looked at again.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn read(folder: &Path, below: &str, stamp: Stamp) -> io::Result<Option<String>> {
    let path: PathBuf = folder.join(below);
    let file = File::open(&path)?;
    if Stamp::of(&file.metadata()?) != stamp {
        return Ok(None);
    }
    let mut text = String::new();
    file.take(plan::MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    // Whoever writes meanwhile changes the stamp.
    Ok(if fs::metadata(&path).is_ok_and(|now| Stamp::of(&now) == stamp) { Some(text) } else { None })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn plan_files_are_found_and_nothing_else_is_followed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("acme/deep")).unwrap();
        fs::create_dir_all(at("..data")).unwrap();
        for name in ["a.yaml", "b.json", "notes.txt", ".hidden.yaml", "acme/c.yml", "acme/deep/d.yaml", "..data/e.yaml"] {
            fs::write(at(name), "name: x").unwrap();
        }
        fs::write(other.path().join("secret.yaml"), "name: secret").unwrap();
        symlink(other.path().join("secret.yaml"), at("out.yaml")).unwrap();
        symlink(other.path(), at("outside")).unwrap();
        symlink("..data/e.yaml", at("e.yaml")).unwrap();
        symlink("loop.yaml", at("loop.yaml")).unwrap();
        fs::create_dir(at("folder.yaml")).unwrap();
        let listing = list(folder.path()).unwrap();
        assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["a.yaml", "acme/c.yml", "acme/deep/d.yaml", "b.json", "e.yaml"]);
        assert_eq!(listing.refused.keys().collect::<Vec<_>>(), ["loop.yaml", "out.yaml", "outside"]);
        assert!(list(&at("nowhere")).is_err());
    }

    #[test]
    fn a_file_that_changed_since_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "name: one").unwrap();
        let seen = list(folder.path()).unwrap().files["a.yaml"];
        assert_eq!(read(folder.path(), "a.yaml", seen).unwrap().as_deref(), Some("name: one"));
        fs::write(folder.path().join("new"), "name: two").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(read(folder.path(), "a.yaml", seen).unwrap(), None, "another file has its name");
        let seen = list(folder.path()).unwrap().files["a.yaml"];
        fs::write(&path, b"name: \xff").unwrap();
        assert_eq!(read(folder.path(), "a.yaml", seen).unwrap(), None);
        let seen = list(folder.path()).unwrap().files["a.yaml"];
        assert!(read(folder.path(), "a.yaml", seen).is_err(), "it is no text");
    }
}
