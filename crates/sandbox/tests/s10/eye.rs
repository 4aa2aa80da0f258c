//! An eye on the children of this process: the most memory that any of them ever held.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Looks every two milliseconds until it is dropped. The kernel keeps the highest value itself, so that only what a process took
/// in its last two milliseconds can be missed.
pub(crate) struct Eye {
    highest: Arc<AtomicU64>,
    shut: Arc<AtomicBool>,
}

impl Eye {
    pub(crate) fn open() -> Eye {
        let eye = Eye { highest: Arc::default(), shut: Arc::default() };
        let (highest, shut) = (eye.highest.clone(), eye.shut.clone());
        std::thread::spawn(move || {
            while !shut.load(Ordering::Relaxed) {
                let most = children().into_iter().filter_map(peak).max().unwrap_or(0);
                highest.fetch_max(most, Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(2));
            }
        });
        eye
    }

    /// Forgets what was seen; a child that lives on keeps its own.
    pub(crate) fn begin(&self) {
        self.highest.store(0, Ordering::Relaxed);
    }

    /// The most that any child held since [`Eye::begin`], bytes.
    pub(crate) fn highest(&self) -> u64 {
        let now = children().into_iter().filter_map(peak).max().unwrap_or(0);
        self.highest.load(Ordering::Relaxed).max(now)
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.shut.store(true, Ordering::Relaxed);
    }
}

/// The children that run as children of code, by number.
pub(crate) fn children() -> Vec<u32> {
    children_of("self")
}

/// Those of another process.
pub(crate) fn children_of(process: &str) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let ids: Vec<u32> = lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect();
    ids.into_iter()
        .filter(|id| {
            fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "code-child" || name.starts_with("python"))
        })
        .collect()
}

/// A line of a process's status.
pub(crate) fn status(id: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

fn peak(id: u32) -> Option<u64> {
    status(id, "VmHWM")?.strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
