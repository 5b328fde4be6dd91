//! Which processors do whose work. Attackers have machines of their own; what they compute must not be measured as what their
//! victims wait for.

use std::process::{Command, Stdio};

use tokio::runtime::{Builder, Runtime};

/// Of the servers and the honest callers, where processors are apart.
const SERVERS: usize = 0;
/// Of the attackers, where processors are apart.
const ATTACKERS: usize = 1;

/// How the machine is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processors {
    /// Everybody has all.
    Shared,
    /// The servers and the honest callers have one, the attackers another.
    Apart,
}

impl Processors {
    /// Binds this thread, and what it starts from now on, to the servers' processor.
    pub(super) fn take_for_servers(self) {
        if self == Self::Apart {
            keep_to(SERVERS);
        }
    }

    /// A runtime for the attackers.
    pub(super) fn attackers(self) -> Runtime {
        let mut runtime = Builder::new_multi_thread();
        if self == Self::Apart {
            runtime.worker_threads(1).on_thread_start(|| keep_to(ATTACKERS));
        }
        runtime.enable_all().build().expect("a runtime starts")
    }
}

/// Binds this thread to a processor, by the program that does so for any thread: to ask the kernel itself is unsafe code.
fn keep_to(processor: usize) {
    let thread = std::fs::read_link("/proc/thread-self").expect("the kernel says which thread this is");
    let id = thread.file_name().expect("its number is last");
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", "--pid", &processor.to_string()]).arg(id).stdout(Stdio::null());
    assert!(taskset.status().expect("taskset is installed").success(), "the machine has two processors");
}
