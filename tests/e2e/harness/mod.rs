//! What the stories share: a network in one process, callers that sign by hand, an attacker with the center's keys, and
//! real `iog` processes. It asserts nothing itself except that the stage stands.

pub(crate) mod caller;
pub(crate) mod deployment;
pub(crate) mod evil;
pub(crate) mod evil_gateway;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod settings;

use std::sync::LazyLock;

use iog_sandbox::{Compiler, Program, Sandbox, SandboxConfig};
use tokio::runtime::Runtime;

/// One runtime for all stories, so that a network shared by several outlives each of them.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts"));

/// A sandbox whose modules are compiled as `iog` compiles them: in confined children, which are `iog` too.
pub(crate) fn sandbox() -> Sandbox {
    let compiler = Compiler::Child(Program::At(env!("CARGO_BIN_EXE_iog").into()));
    Sandbox::new(&SandboxConfig { compiler, ..SandboxConfig::default() }).expect("the sandbox starts")
}

/// Plays a story to its end.
pub(crate) fn play<T>(story: impl Future<Output = T>) -> T {
    RUNTIME.block_on(story)
}
