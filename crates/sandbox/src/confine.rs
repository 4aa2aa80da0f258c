//! How a child gives up what it does not need: descriptors, the network, files, other processes, and most of the kernel.

use std::fs;
use std::io;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd;

use crate::filter;
use crate::sabotage::{Switch, is_on};
use crate::view;

/// How much has to hold before a child takes code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Namespaces of its own and the filter of system calls.
    Full,
    /// The filter of system calls, and namespaces where the kernel gives them.
    Filter,
}

impl Isolation {
    /// As it is written in settings and told to a child.
    pub fn as_str(self) -> &'static str {
        match self {
            Isolation::Full => "full",
            Isolation::Filter => "seccomp",
        }
    }
}

impl std::str::FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Isolation, String> {
        match text {
            "full" => Ok(Isolation::Full),
            "seccomp" => Ok(Isolation::Filter),
            other => Err(format!("\"{other}\" is no isolation: write full or seccomp")),
        }
    }
}

/// Behind everything that drives runs: code that burns a processor must not hold up what watches it.
const NICE: i32 = 10;

/// Lets others go first. Where the kernel does not take it the code runs all the same.
pub(crate) fn give_way() {
    let _ = rustix::process::nice(NICE);
}

/// The first half, while files can still be read: dies with its parent, keeps three descriptors, has no namespaces in common
/// with anybody, sees an empty root.
///
/// # Errors
/// What the kernel refused, for the operator.
pub(crate) fn leave(isolation: Isolation) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("cannot be bound to its parent: {error}"))?;
    if is_on(Switch::CodeUnconfined) {
        return Ok(());
    }
    close_the_rest().map_err(|error| format!("descriptors cannot be listed: {error}"))?;
    match namespaces().and_then(|()| empty_root()) {
        Err(reason) if isolation == Isolation::Full => Err(reason),
        _ => Ok(()),
    }
}

/// Both halves for an interpreter that reads files: `kept` is all it sees. There is no weaker form of it.
///
/// # Errors
/// What the kernel refused.
pub(crate) fn of_python(kept: &[std::path::PathBuf], memory: u64) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("cannot be bound to its parent: {error}"))?;
    if is_on(Switch::CodeUnconfined) {
        return Ok(());
    }
    close_the_rest().map_err(|error| format!("descriptors cannot be listed: {error}"))?;
    namespaces()?;
    view::enter(kept)?;
    // The interpreter's own data is about half of what is left over.
    let data = memory.saturating_add(16 << 20);
    let limits = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_NOFILE, 64),
        (Resource::RLIMIT_DATA, data),
    ];
    for (resource, most) in limits {
        setrlimit(resource, most, most).map_err(|error| format!("{resource:?} cannot be set: {error}"))?;
    }
    filter::of_python().map_err(|error| format!("the filter of system calls: {error}"))
}

/// The second half, when all that will ever be needed was touched once. `most` bytes is what any call can be given.
///
/// # Errors
/// As [`leave`].
pub(crate) fn bind(most: u64, held: u64) -> Result<(), String> {
    if is_on(Switch::CodeUnconfined) {
        return Ok(());
    }
    let none = [
        Resource::RLIMIT_CORE,
        Resource::RLIMIT_NOFILE,
        Resource::RLIMIT_NPROC,
        Resource::RLIMIT_FSIZE,
        Resource::RLIMIT_MEMLOCK,
        Resource::RLIMIT_MSGQUEUE,
    ];
    for resource in none {
        setrlimit(resource, 0, 0).map_err(|error| format!("{resource:?} cannot be set: {error}"))?;
    }
    // A last line behind the interpreter's own count and the parent's eye; its programs are in it as well.
    let space = held.saturating_add(most).saturating_add(32 << 20);
    setrlimit(Resource::RLIMIT_AS, space, space).map_err(|error| format!("memory cannot be bounded: {error}"))?;
    prctl::set_dumpable(false).map_err(|error| format!("cannot be hidden from debuggers: {error}"))?;
    filter::of_javascript().map_err(|error| format!("the filter of system calls: {error}"))
}

/// Whoever started the server may have left descriptors open that the server knows nothing of.
fn close_the_rest() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()).filter(|number| *number > 2));
    }
    for number in open {
        // The one that listed them is closed already.
        let _ = unistd::close(number);
    }
    Ok(())
}

/// Users, network, mounts, names and queues of its own. Inside it is nobody.
fn namespaces() -> Result<(), String> {
    let (user, group) = (unistd::geteuid(), unistd::getegid());
    let own = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(own).map_err(|error| format!("the kernel gives no user and network namespaces (unshare: {error})"))?;
    let write = |file: &str, text: String| fs::write(file, text).map_err(|error| format!("{file}: {error}"));
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("65534 {user} 1"))?;
    write("/proc/self/gid_map", format!("65534 {group} 1"))?;
    unistd::sethostname("code").map_err(|error| format!("sethostname: {error}"))
}

/// An empty, read-only root. What was there before is gone for this process.
fn empty_root() -> Result<(), String> {
    let nothing: Option<&str> = None;
    let step = |what: &str, result: nix::Result<()>| result.map_err(|error| format!("no root of its own ({what}: {error})"));
    step("private", mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing))?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // `/proc` is there wherever a process can run at all.
    step("tmpfs", mount(Some("none"), "/proc", Some("tmpfs"), plain, Some("size=4k,mode=0555")))?;
    step("chdir", unistd::chdir("/proc"))?;
    step("pivot_root", unistd::pivot_root(".", "."))?;
    step("umount", umount2(".", MntFlags::MNT_DETACH))?;
    step("chdir", unistd::chdir("/"))?;
    step("read-only", mount(nothing, "/", nothing, plain | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, nothing))
}
