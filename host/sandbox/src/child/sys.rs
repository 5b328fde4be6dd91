//! The calls to the kernel that no safe library here offers, each in a safe function: plain numbers in and out, or a
//! pointer to a value on the caller's stack.
#![expect(unsafe_code, reason = "limits, signals and landlock are system calls; each block says why it is sound")]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// Signals that say how a child ended.
pub(super) const SIGABRT: i32 = libc::SIGABRT;
pub(super) const SIGSEGV: i32 = libc::SIGSEGV;
pub(super) const SIGXCPU: i32 = libc::SIGXCPU;

/// Files a child may have open: the three it starts with, and a few that its libraries may want for a moment.
const FILES: u64 = 16;

/// Above every number that a file gets where nobody raised the limit, in kernels that must be asked one by one.
const FILES_OF_OTHERS: libc::c_int = 65_536;

#[repr(C)]
struct LandlockRuleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct LandlockPathBeneath {
    allowed_access: u64,
    parent_fd: libc::c_int,
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Kills every process of a group that this process leads no longer than its leader is unreaped.
pub(super) fn kill_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else { return };
    // SAFETY: `kill` reads two integers. A group that is gone already is an error that means what we want.
    unsafe {
        libc::kill(-group, libc::SIGKILL);
    }
}

/// Closes every file but the three standard ones: what a parent was itself given without a mark comes along. To be called
/// before anything in this process opens a file.
pub(super) fn close_files() {
    // SAFETY: integers only. No file that somebody here counts on is open yet, so none is closed under its owner.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) != 0 {
            // Kernels before 5.9.
            (3..FILES_OF_OTHERS).for_each(|file| {
                libc::close(file);
            });
        }
    }
}

/// The kernel kills this process when the thread that started it ends, and with it its parent.
pub(super) fn die_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: `prctl` with these options reads integers; `getppid` reads nothing.
    let now = unsafe {
        done(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        libc::getppid()
    };
    // It may have ended before the line above.
    if u32::try_from(now).is_ok_and(|now| now == parent) { Ok(()) } else { Err(io::Error::other("it is gone")) }
}

/// Bounds of addresses (bytes) and processor time (seconds); no files, processes or core dumps are made.
pub(super) fn limit_resources(memory_bytes: u64, processor_s: u64) -> io::Result<()> {
    let limits = [
        (libc::RLIMIT_AS, memory_bytes, memory_bytes),
        // At the lower one the kernel sends SIGXCPU, which says what it was; at the upper one it kills.
        (libc::RLIMIT_CPU, processor_s, processor_s + 1),
        (libc::RLIMIT_NOFILE, FILES, FILES),
        (libc::RLIMIT_FSIZE, 0, 0),
        (libc::RLIMIT_CORE, 0, 0),
        // Root is not held by this one; the system calls that make processes are also refused.
        (libc::RLIMIT_NPROC, 0, 0),
    ];
    for (what, soft, hard) in limits {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        // SAFETY: the pointer is to a value that lives during the call.
        done(unsafe { libc::setrlimit(what, &raw const limit) })?;
    }
    Ok(())
}

/// No program started from here may gain privileges.
pub(super) fn give_up_privileges() -> io::Result<()> {
    // SAFETY: `prctl` with this option reads integers.
    done(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// Nobody of the same user may look into this process, as long as it starts no other program.
pub(super) fn hide() -> io::Result<()> {
    // SAFETY: `prctl` with this option reads integers.
    done(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) })
}

/// Part of the file system, held open, and what may be done in it: bits of the kernel's `landlock.h`.
pub(super) struct Beneath {
    pub(super) place: std::fs::File,
    pub(super) may: u64,
}

/// Opens a place to be named to the kernel, without reading it.
pub(super) fn place(path: &std::path::Path) -> io::Result<std::fs::File> {
    std::os::unix::fs::OpenOptionsExt::custom_flags(std::fs::OpenOptions::new().read(true), libc::O_PATH).open(path)
}

/// Landlock's version, `None` where there is none.
pub(super) fn landlock_version() -> Option<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel wants no attributes and answers its version.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<LandlockRuleset>(), 0_usize, VERSION)
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// Takes the file system but for these parts, TCP and signals to others from this process; the version that did it, `None`
/// where there is none.
pub(super) fn landlock(beneath: &[Beneath]) -> Option<u32> {
    let version = landlock_version()?;
    // Bits by version, from the kernel's `landlock.h`: 13 kinds of access, then one more at 2, 3 and 5.
    let kinds = match version {
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    let rules = LandlockRuleset {
        handled_access_fs: (1 << kinds) - 1,
        handled_access_net: if version >= 4 { 0b11 } else { 0 },
        scoped: if version >= 6 { 0b11 } else { 0 },
    };
    let size = match version {
        1..=3 => 8_usize,
        4 | 5 => 16,
        _ => 24,
    };
    // SAFETY: the pointer is to a value that lives during the call and has at least `size` bytes.
    let ruleset = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, size, 0_u32) };
    let ruleset = libc::c_int::try_from(ruleset).ok().filter(|ruleset| *ruleset >= 0)?;
    // SAFETY: the kernel has just opened it for this process, and nobody else knows it.
    let ruleset = unsafe { OwnedFd::from_raw_fd(ruleset) };
    beneath.iter().try_for_each(|beneath| allow(&ruleset, beneath, rules.handled_access_fs)).ok()?;
    // SAFETY: integers only.
    let restricted = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    (restricted == 0).then_some(version)
}

/// Adds a part of the file system to a ruleset, with those of its rights that this kernel knows.
fn allow(ruleset: &OwnedFd, beneath: &Beneath, known: u64) -> io::Result<()> {
    const PATH_BENEATH: libc::c_int = 1;
    let rule = LandlockPathBeneath { allowed_access: beneath.may & known, parent_fd: beneath.place.as_raw_fd() };
    // SAFETY: the pointer is to a value that lives during the call, laid out as the kernel's.
    let added = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32)
    };
    if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
