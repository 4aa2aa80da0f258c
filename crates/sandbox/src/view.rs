//! The file system of a child that needs one: a few folders of the host, read-only, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd;

const NOTHING: Option<&str> = None;

/// Where the libraries of a system lie. Those that are links stay links.
const LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// What an interpreter reads: the system's libraries, itself, and what was installed with it.
pub(crate) fn of_interpreter(interpreter: &Path) -> Result<Vec<PathBuf>, String> {
    let real = fs::canonicalize(interpreter).map_err(|error| format!("{}: {error}", interpreter.display()))?;
    let mut kept: Vec<PathBuf> = LIBRARIES.iter().map(PathBuf::from).filter(|folder| folder.exists()).collect();
    for program in [interpreter, &real] {
        // `prefix/bin/python3`, as every installation and every virtual environment has it.
        let prefix = program.parent().and_then(Path::parent);
        match prefix {
            Some(prefix) if !["/", "/usr", "/usr/local"].contains(&prefix.to_string_lossy().as_ref()) => kept.push(prefix.to_owned()),
            _ => kept.push(program.to_owned()),
        }
    }
    Ok(kept)
}

/// Makes a new root with these paths of the old one, each where it was, and leaves the old one.
///
/// # Errors
/// What the kernel refused.
pub(crate) fn enter(kept: &[PathBuf]) -> Result<(), String> {
    let said = |what: &Path, result: nix::Result<()>| result.map_err(|error| format!("no root of its own ({}: {error})", what.display()));
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // `/proc` is there wherever a process can run at all, and nothing below it is kept.
    let root = Path::new("/proc");
    said(Path::new("private"), mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING))?;
    said(Path::new("tmpfs"), mount(Some("none"), root, Some("tmpfs"), plain, Some("size=256k,mode=0555")))?;
    for path in kept {
        let inside = root.join(path.strip_prefix("/").unwrap_or(path));
        place(path, &inside).map_err(|error| format!("no root of its own ({}: {error})", path.display()))?;
        if fs::symlink_metadata(&inside).is_ok_and(|made| made.is_symlink()) {
            continue;
        }
        said(path, mount(Some(path), &inside, NOTHING, MsFlags::MS_BIND, NOTHING))?;
        said(path, mount(NOTHING, &inside, NOTHING, plain | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, NOTHING))?;
    }
    said(root, unistd::chdir(root))?;
    said(Path::new("pivot_root"), unistd::pivot_root(".", "."))?;
    said(Path::new("umount"), umount2(".", MntFlags::MNT_DETACH))?;
    said(Path::new("/"), unistd::chdir("/"))?;
    said(Path::new("read-only"), mount(NOTHING, "/", NOTHING, plain | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, NOTHING))
}

/// Makes what `path` is mounted on: a folder, an empty file, or the same link.
fn place(path: &Path, inside: &Path) -> std::io::Result<()> {
    if let Some(parent) = inside.parent() {
        fs::create_dir_all(parent)?;
    }
    let kind = fs::symlink_metadata(path)?;
    if kind.is_symlink() {
        match symlink(fs::read_link(path)?, inside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    } else if kind.is_dir() {
        fs::create_dir_all(inside)
    } else {
        fs::File::create(inside).map(drop)
    }
}
