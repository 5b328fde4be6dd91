//! Which program a child is, and how it is started: nothing of this process's environment or files goes with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::confine::Bounds;

/// Set in every child. A program that does not know the role it was started with, and so does here what it does
/// everywhere, would otherwise start itself again and again.
const MARK: &str = "IOG_CHILD";

/// The program of children: one that passes its arguments to [`crate::child_main`] before it does anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// This one, started again. It is found also when its file was replaced or removed meanwhile.
    #[default]
    Itself,
    /// Another file.
    At(PathBuf),
}

impl Program {
    /// Starts the program in a process group of its own, with two pipes and nothing else.
    pub(super) fn start(&self, role: &str, bounds: Bounds) -> std::io::Result<Child> {
        if std::env::var_os(MARK).is_some() {
            return Err(std::io::Error::other("a child does not start children"));
        }
        let mut command = Command::new(self.path()?);
        command.arg0("iog").arg(role).args(bounds.to_args(std::process::id()));
        command.env_clear().env(MARK, "1").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0).kill_on_drop(true);
        command.spawn()
    }

    pub(super) fn path(&self) -> std::io::Result<PathBuf> {
        match self {
            Self::Itself if cfg!(target_os = "linux") => Ok(Path::new("/proc/self/exe").to_owned()),
            Self::Itself => std::env::current_exe(),
            Self::At(path) => Ok(path.clone()),
        }
    }
}
