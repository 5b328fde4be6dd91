//! A program that keeps to its reach: it and all that it starts see parts of the file system, no network and no other process,
//! whatever they are made to do. The kernel holds it, for this program confines itself first and then becomes the other.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use super::program::Program;
use super::{seccomp, sys};

/// The first argument of a child that is to become another program.
pub(crate) const ROLE: &str = "within-reach";

/// How a child ends that could not be confined, or could not become the program; programs have other codes.
const NOT_CONFINED: u8 = 125;

/// Reading and starting: bits 0, 2 and 3 of the kernel's `landlock.h`.
const READ: u64 = 0b1101;
/// That, and to write, cut, remove and rename files and folders and make new ones and links; no devices, sockets and pipes.
const WRITE: u64 = READ | 1 << 1 | 0b11 << 4 | 0b11 << 7 | 0b111 << 12;
/// What of these there is for a file: starting, writing, reading and cutting it.
const OF_FILES: u64 = 0b111 | 1 << 14;

/// The parts of the file system that a program sees. What is not there is in nobody's reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Files and folders, with all that is in them, to read and to start.
    pub read: Vec<PathBuf>,
    /// The same, to change as well.
    pub write: Vec<PathBuf>,
}

impl Reach {
    /// Whether this kernel can hold a program to it.
    #[must_use]
    pub fn is_held_here() -> bool {
        sys::landlock_version().is_some()
    }

    /// A program that is to be started within this reach, by way of `by`, which becomes it. What is set on the command is set
    /// for the program.
    ///
    /// # Errors
    /// A path that is not text.
    pub fn command(&self, by: &Program, program: &str) -> io::Result<Command> {
        let told = serde_json::to_string(self).map_err(io::Error::other)?;
        let mut command = Command::new(by.path()?);
        command.arg0("iog").args([ROLE, &told, program]);
        Ok(command)
    }

    /// Whether a program ended because it could not be confined, and so never began.
    #[must_use]
    pub fn was_not_held(status: std::process::ExitStatus) -> bool {
        status.code() == Some(NOT_CONFINED.into())
    }

    fn beneath(&self) -> io::Result<Vec<sys::Beneath>> {
        let places = self.read.iter().map(|path| (path, READ)).chain(self.write.iter().map(|path| (path, WRITE)));
        places.filter_map(|(path, may)| beneath(path, may).transpose()).collect()
    }
}

/// One place; nothing where there is none.
fn beneath(path: &Path, may: u64) -> io::Result<Option<sys::Beneath>> {
    let place = match sys::place(path) {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let may = if place.metadata()?.is_dir() { may } else { may & OF_FILES };
    Ok(Some(sys::Beneath { place, may }))
}

/// Confines this process, which must have no other threads, and becomes the program that its parent told it. Returns only
/// where that fails.
pub(crate) fn become_within_reach(args: &[OsString]) -> ExitCode {
    if let [told, program, args @ ..] = args
        && confine(told).is_ok()
    {
        let _ = Command::new(program).args(args).exec();
    }
    ExitCode::from(NOT_CONFINED)
}

fn confine(told: &OsString) -> io::Result<()> {
    let told = told.to_str().ok_or_else(|| io::Error::other("the reach is not text"))?;
    let reach: Reach = serde_json::from_str(told).map_err(io::Error::other)?;
    // What the parent had open would reach anywhere.
    sys::close_files();
    sys::give_up_privileges()?;
    let beneath = reach.beneath()?;
    sys::landlock(&beneath).ok_or_else(|| io::Error::other("there is no landlock"))?;
    if seccomp::keep_within_reach() { Ok(()) } else { Err(io::Error::other("there is no seccomp")) }
}
