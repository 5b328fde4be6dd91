//! The system calls of a child: memory that never becomes code, its two pipes, time, and its own end. Everything else fails,
//! so that what a library only tries (a file that would tell it something) is not a misdeed. A program that is confined to its
//! reach keeps all but a few.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Allowed as they are. Files and sockets cannot be opened, so those that read and write reach only what is open.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Allowed unless they make memory executable; its protection is their third argument.
const NOT_EXECUTABLE: &[libc::c_long] = &[libc::SYS_mmap, libc::SYS_mprotect];

/// Allowed on this process alone, which is their first argument: how a process aborts.
const ON_ITSELF: &[libc::c_long] = &[libc::SYS_tgkill];

/// What a program has no use for that is confined to its reach: every way to a network or to another process, rings that make
/// system calls where no filter sees them, keys of the user's, and files by another name than their path.
const OUT_OF_REACH: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
];

/// Takes those from this thread, which must be the only one, and from every program it starts; false where the kernel cannot.
pub(super) fn keep_within_reach() -> bool {
    let rules = OUT_OF_REACH.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let filter = std::env::consts::ARCH.try_into().and_then(|arch| {
        SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).and_then(TryInto::<BpfProgram>::try_into)
    });
    filter.is_ok_and(|filter| apply_filter(&filter).is_ok())
}

/// Takes all other system calls from this thread, which must be the only one; false where the kernel cannot.
pub(super) fn apply() -> bool {
    filter().is_ok_and(|filter| apply_filter(&filter).is_ok())
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let where_argument = |index: u8, how: SeccompCmpOp, value: u64| {
        let condition = SeccompCondition::new(index, SeccompCmpArgLen::Qword, how, value)?;
        SeccompRule::new(vec![condition]).map(|rule| vec![rule])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    for call in NOT_EXECUTABLE {
        let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
        rules.insert(*call, where_argument(2, SeccompCmpOp::MaskedEq(executable), 0)?);
    }
    for call in ON_ITSELF {
        rules.insert(*call, where_argument(0, SeccompCmpOp::Eq, std::process::id().into())?);
    }
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}
