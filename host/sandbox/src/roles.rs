//! What a program does when it was started as a child of a sandbox instead of for itself.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{child, compile};

/// What a program that may be the [`crate::Program`] of children does first, before it starts a thread or opens a file:
/// `None` where it was not started as a child, and everything else goes on.
pub fn child_main(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let role = args.next()?;
    let rest: Vec<OsString> = args.collect();
    match role.to_str()? {
        compile::ROLE => Some(compile::work(&rest)),
        child::REACH_ROLE => Some(child::become_within_reach(&rest)),
        _ => None,
    }
}
