//! How much memory a process holds, as the kernel counts it.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// Bytes of address space of this process.
pub(crate) fn own_size() -> Option<u64> {
    pages("self", 0)
}

/// Bytes in memory of process `id`; `None` when it is gone.
pub(crate) fn held(id: u32) -> Option<u64> {
    pages(&id.to_string(), 1)
}

/// The most bytes in memory that process `id` ever held; `None` when it is gone.
pub(crate) fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn pages(process: &str, field: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(field)?.parse().ok()?;
    let size = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(u64::try_from(size).ok()?)
}
