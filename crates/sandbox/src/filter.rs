//! What a child may still ask of the kernel: a list of system calls, everything else ends the process.

use std::collections::BTreeMap;
use std::io;

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls whose arguments do not matter: memory of its own, time, randomness, its own end.
const FREE: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Binds the process to reading descriptor 0, writing 1 and 2, and memory that can never be run. For good.
///
/// # Errors
/// The kernel knows no filters, or no such machine.
pub(crate) fn of_javascript() -> io::Result<()> {
    let is = |argument, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let masked = |argument, mask: i32, value: u64| {
        let mask = u64::from(mask.unsigned_abs());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
    };
    let build = || -> Result<Rules, seccompiler::BackendError> {
        let mut rules: Rules = FREE.iter().map(|call| (*call, Vec::new())).collect();
        rules.insert(libc::SYS_read, vec![SeccompRule::new(vec![is(0, 0)?])?]);
        rules.insert(libc::SYS_write, vec![SeccompRule::new(vec![is(0, 1)?])?, SeccompRule::new(vec![is(0, 2)?])?]);
        let anonymous = u64::from(libc::MAP_ANONYMOUS.unsigned_abs());
        rules.insert(
            libc::SYS_mmap,
            vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?, masked(3, libc::MAP_ANONYMOUS, anonymous)?])?],
        );
        rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?])?]);
        Ok(rules)
    };
    apply(build().map_err(io::Error::other)?, SeccompAction::KillProcess)
}

/// Puts the filter in force: `otherwise` is what every call that is not listed gets.
pub(crate) fn apply(rules: Rules, otherwise: SeccompAction) -> io::Result<()> {
    let machine = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, machine).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
