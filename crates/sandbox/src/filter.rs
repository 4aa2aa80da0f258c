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
    libc::SYS_getcpu,
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
        // The server's allocator gives its memory a name.
        let naming = u64::from(libc::PR_SET_VMA.unsigned_abs());
        rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![is(0, naming)?])?]);
        rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?])?]);
        Ok(rules)
    };
    apply(build().map_err(io::Error::other)?, SeccompAction::KillProcess)
}

/// What Python needs besides, to read its libraries and to wait. No network, no other process, no signal, no mount.
const PYTHON: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_rt_sigaction,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    // The filter is in force before the interpreter begins. What could be begun later has the same filter.
    libc::SYS_execve,
];

/// The same by the names that only this machine's kernel still has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_arch_prctl,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// Binds a process that is to become Python. What is not listed fails as not permitted, which Python's libraries take for an answer.
///
/// # Errors
/// As [`of_javascript`].
pub(crate) fn of_python() -> io::Result<()> {
    let mut rules: Rules = FREE.iter().chain(PYTHON).chain(OLDER).map(|call| (*call, Vec::new())).collect();
    let local = u64::from(libc::AF_UNIX.unsigned_abs());
    let build = || -> Result<SeccompRule, seccompiler::BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, local)?])
    };
    // A pair of sockets joined to each other and to nothing else: loops of events wake themselves by it.
    rules.insert(libc::SYS_socketpair, vec![build().map_err(io::Error::other)?]);
    apply(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()))
}

/// Puts the filter in force: `otherwise` is what every call that is not listed gets.
pub(crate) fn apply(rules: Rules, otherwise: SeccompAction) -> io::Result<()> {
    let machine = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, machine).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
