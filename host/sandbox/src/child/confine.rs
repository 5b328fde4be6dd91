//! The child's first act, before it reads a byte: it dies with its parent, its bounds are set, and what it has no use for is
//! taken from it. Bounds must hold or the child does not work; what only some kernels can take is tried and said.

use std::ffi::OsString;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{seccomp, sys};

/// What a child may use. The kernel holds all of it, whatever the child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Addresses beyond those that the program itself takes, in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time, in seconds.
    pub(crate) processor_s: u64,
}

/// Which confinements a child really has. They are the kernel's: an older one, or one set up otherwise, has fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confined {
    /// Only the system calls of a short list, and no memory that becomes code: no network, no files, no processes.
    pub system_calls: bool,
    /// Landlock's version, where there is one: no file system, and from version 4 on no TCP, from 6 on no signals to others.
    pub landlock: Option<u32>,
}

impl Confined {
    /// Whether everything there is holds.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.system_calls && self.landlock.is_some()
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.system_calls { "limits, seccomp" } else { "limits, no seccomp" })?;
        match self.landlock {
            Some(version) => write!(f, ", landlock {version}"),
            None => f.write_str(", no landlock"),
        }
    }
}

impl Bounds {
    /// The arguments by which a parent tells them, with its own id.
    pub(super) fn to_args(self, parent: u32) -> [String; 3] {
        [self.memory_bytes.to_string(), self.processor_s.to_string(), parent.to_string()]
    }

    fn of_args(args: &[OsString]) -> Option<(Self, u32)> {
        let number = |at: usize| args.get(at)?.to_str()?.parse::<u64>().ok();
        let (bounds, parent) = (Self { memory_bytes: number(0)?, processor_s: number(1)? }, number(2)?);
        (args.len() == 3).then_some((bounds, u32::try_from(parent).ok()?))
    }
}

/// Confines this process, which must have no other threads and no open files but the three standard ones; what holds it then.
///
/// # Errors
/// What does not hold; the child must end then.
pub(crate) fn enter(args: &[OsString]) -> Result<Confined, String> {
    let (bounds, parent) = Bounds::of_args(args).ok_or("this is a role for children of a gateway")?;
    sys::close_files();
    let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
    sys::die_with_parent(parent).map_err(|error| failed("cannot be bound to its parent", error))?;
    // Of everything on the machine, the kernel should rather end this than what started it. Not everywhere may it say so.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let base = own_addresses().map_err(|error| failed("its own size cannot be read", error))?;
    sys::limit_resources(base.saturating_add(bounds.memory_bytes), bounds.processor_s)
        .map_err(|error| failed("the bounds cannot be set", error))?;
    let given_up = sys::give_up_privileges().and_then(|()| sys::hide());
    given_up.map_err(|error| failed("privileges cannot be given up", error))?;
    let landlock = sys::landlock(&[]);
    Ok(Confined { system_calls: seccomp::apply(), landlock })
}

/// Addresses that the program takes before it does anything, in bytes.
fn own_addresses() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| std::io::Error::other("`/proc/self/status` has no size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_and_read_the_same() {
        let bounds = Bounds { memory_bytes: 5 << 30, processor_s: 10 };
        let args: Vec<OsString> = bounds.to_args(77).into_iter().map(OsString::from).collect();
        assert_eq!(Bounds::of_args(&args), Some((bounds, 77)));
        assert_eq!(Bounds::of_args(&args[..2]), None);
        assert_eq!(Bounds::of_args(&["a".into(), "1".into(), "1".into()]), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        let shown = |system_calls, landlock| Confined { system_calls, landlock }.to_string();
        assert_eq!(shown(true, Some(6)), "limits, seccomp, landlock 6");
        assert_eq!(shown(false, None), "limits, no seccomp, no landlock");
    }
}
