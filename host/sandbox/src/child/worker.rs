//! A child as its parent sees it: one question, one answer or how it ended, and a whole process group that is killed when
//! this value goes, however it goes.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;

use super::confine::Bounds;
use super::frames::{Message, NotRead, receive, send};
use super::program::Program;
use super::sys;

/// A started child. The kernel kills it too when the thread that started it ends: start it on a thread of a runtime, which
/// lives as long as the runtime.
pub(crate) struct Worker {
    child: Child,
    /// Its process id and that of its group; `None` once it is reaped and the number may be another's.
    group: Option<u32>,
}

/// How much of a child's answer is read, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// From the question to the end of the answer.
    pub(crate) wall: Duration,
    /// The answer's body, in bytes.
    pub(crate) body_bytes_max: u64,
}

/// How a child ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It never began; the operator's or the machine's.
    NotStarted(String),
    /// It was killed when its time was over.
    Wall,
    /// It used up its processor time.
    ProcessorTime,
    /// It aborted: memory was refused to it, or its stack was used up.
    Aborted,
    /// It answered more than it may.
    TooLong,
    /// Something else ended it: somebody's signal, or itself.
    Otherwise(String),
}

impl Worker {
    /// Starts a child in a role of the program.
    ///
    /// # Errors
    /// [`Ended::NotStarted`].
    pub(crate) fn start(program: &Program, role: &str, bounds: Bounds) -> Result<Self, Ended> {
        let child = program.start(role, bounds).map_err(|error| Ended::NotStarted(error.to_string()))?;
        Ok(Self { group: child.id(), child })
    }

    /// Asks it one thing. Afterwards no process of its group lives.
    ///
    /// # Errors
    /// How it ended instead of answering.
    pub(crate) async fn ask(mut self, head: &[u8], body: &[u8], reply: Reply) -> Result<Message, Ended> {
        let answered = tokio::time::timeout(reply.wall, self.talk(head, body, reply.body_bytes_max)).await;
        // What still lives is killed before its leader is reaped: until then its number cannot be another's. A child that
        // is dead already keeps its own way of ending.
        self.kill();
        let status = self.child.wait().await;
        self.group = None;
        match answered {
            Err(_) => Err(Ended::Wall),
            Ok(Ok(message)) => Ok(message),
            Ok(Err(NotRead::TooLong)) => Err(Ended::TooLong),
            Ok(Err(NotRead::Cut)) => Err(status.map_or_else(|error| Ended::Otherwise(error.to_string()), ended)),
        }
    }

    async fn talk(&mut self, head: &[u8], body: &[u8], body_bytes_max: u64) -> Result<Message, NotRead> {
        let (Some(mut stdin), Some(mut stdout)) = (self.child.stdin.take(), self.child.stdout.take()) else {
            return Err(NotRead::Cut);
        };
        // It reads everything before it answers anything, unless it could not begin: then it says so and reads nothing. The
        // pipe stays open until the answer is there.
        let _ = send(&mut stdin, head, body).await;
        receive(&mut stdout, body_bytes_max).await
    }

    fn kill(&self) {
        if let Some(leader) = self.group {
            sys::kill_group(leader);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ended(status: ExitStatus) -> Ended {
    match status.signal() {
        Some(sys::SIGXCPU) => Ended::ProcessorTime,
        Some(sys::SIGABRT | sys::SIGSEGV) => Ended::Aborted,
        _ => Ended::Otherwise(status.to_string()),
    }
}
