//! The child's side of a compilation: confined first, then one question, one answer, the end.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};

use super::artefact::{fingerprint, hex};
use super::job::{Answer, Made, Question};
use crate::child::{Confined, enter, read_message, write_message};
use crate::engine;

/// The first argument of a child that compiles.
pub(crate) const ROLE: &str = "compile-worker";
/// Largest component a child reads, in bytes; its parent has held a smaller limit before.
const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// Answers one question, with what its parent told it as arguments.
pub(crate) fn work(args: &[OsString]) -> ExitCode {
    let (answer, code) = match enter(args) {
        Ok(confined) => answer(confined),
        Err(problem) => (Answer::Fault { problem }, Vec::new()),
    };
    let head = serde_json::to_vec(&answer).unwrap_or_default();
    // A parent that is gone needs no answer.
    let written = write_message(&mut std::io::stdout().lock(), &head, &code);
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn answer(confined: Confined) -> (Answer, Vec<u8>) {
    let fault = |problem: &str| (Answer::Fault { problem: problem.to_owned() }, Vec::new());
    let Ok(message) = read_message(&mut std::io::stdin().lock(), COMPONENT_BYTES_MAX) else {
        return fault("the question cannot be read");
    };
    match serde_json::from_slice(&message.head) {
        Ok(Question::Probe) => (Answer::Ready { confined }, Vec::new()),
        Ok(Question::Compile { pooled }) => {
            let compiled = catch_unwind(AssertUnwindSafe(|| compile(&message.body, pooled)));
            compiled.unwrap_or_else(|_| fault("the compiler panicked"))
        }
        Err(_) => fault("the question is of another version"),
    }
}

fn compile(wasm: &[u8], pooled: bool) -> (Answer, Vec<u8>) {
    let engine = match engine::compiler(pooled) {
        Ok(engine) => engine,
        Err(error) => return (Answer::Fault { problem: error.to_string() }, Vec::new()),
    };
    match engine.precompile_component(wasm) {
        Ok(code) => {
            let made = Made { component: hex(Sha256::digest(wasm).into()), engine: fingerprint(&engine) };
            (Answer::Compiled(made), code)
        }
        Err(error) => (Answer::Invalid { problem: format!("{error:#}") }, Vec::new()),
    }
}
