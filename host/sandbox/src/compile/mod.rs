//! From a component's bytes to machine code. Compiling has no fuel: one function can take minutes and gigabytes, whatever its
//! size. So it is done in a child (`crate::child`) that the kernel ends at its bounds, and only the code comes back.

mod artefact;
mod job;
mod role;
mod turns;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::child::{Bounds, Confined, Ended, Message, Program, Reply, Worker};
use crate::config::{CompileLimit, Compiler, LoadError, SandboxConfig};
use crate::module::refused;
use crate::text::clean;
use artefact::Artefact;
use job::{Answer, Question};

pub(crate) use role::{ROLE, work};
pub(crate) use turns::{CompileTurns, Turn};

/// How long a child may take to say that it is there, in which it compiles nothing.
const PROBE_WALL: Duration = Duration::from_secs(10);
/// Longest text of a compiler's error that is repeated, in bytes.
const PROBLEM_BYTES_MAX: usize = 500;

/// Where modules are compiled, and what holds it, as found out by trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiling {
    /// In this process.
    Here,
    /// In children with these confinements.
    Confined(Confined),
    /// In children, which do not start: no module can be loaded.
    Unable {
        /// Why not.
        problem: String,
    },
}

impl fmt::Display for Compiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("in this process, with no limits but time"),
            Self::Confined(confined) => write!(f, "in a child ({confined})"),
            Self::Unable { problem } => write!(f, "nowhere: {problem}"),
        }
    }
}

/// A component and its SHA-256.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) digest: [u8; 32],
    pub(crate) wasm: Arc<[u8]>,
}

/// Compiles for one engine.
#[derive(Clone)]
pub(crate) struct Compiles {
    /// The engine that runs what is compiled.
    pub(crate) engine: Engine,
    /// Whether it has a pool, which decides how its code checks bounds.
    pub(crate) pooled: bool,
    pub(crate) config: SandboxConfig,
}

impl Compiles {
    /// Tries where modules are compiled, without any.
    pub(crate) async fn probe(&self) -> Compiling {
        let Compiler::Child(program) = &self.config.compiler else { return Compiling::Here };
        let reply = Reply { wall: PROBE_WALL, body_bytes_max: 0 };
        match self.ask(program, &Question::Probe, &[], reply).await {
            Ok((Answer::Ready { confined }, _)) => Compiling::Confined(confined),
            Ok((Answer::Fault { problem }, _)) => Compiling::Unable { problem },
            Ok(_) => Compiling::Unable { problem: "the child answers something else than it is asked".to_owned() },
            Err(error) => Compiling::Unable { problem: error.to_string() },
        }
    }

    /// Compiles a component. The turn is over when nothing compiles any more.
    pub(crate) async fn compile(&self, source: Source, turn: Turn) -> Result<Component, LoadError> {
        let engine = self.engine.clone();
        match &self.config.compiler {
            Compiler::Child(program) => {
                let artefact = self.in_child(program, &source).await?;
                drop(turn);
                blocking(move || artefact.load(&engine)).await
            }
            Compiler::Here => {
                let compiling = blocking(move || {
                    let compiled = Component::from_binary(&engine, &source.wasm).map_err(refused);
                    // A thread cannot be stopped: it keeps its turn until it ends, also when nobody waits for it.
                    drop(turn);
                    compiled
                });
                let late = |_| LoadError::Uncompilable { limit: wall(&self.config) };
                tokio::time::timeout(self.config.compile_wall, compiling).await.map_err(late)?
            }
        }
    }

    async fn in_child(&self, program: &Program, source: &Source) -> Result<Artefact, LoadError> {
        let question = Question::Compile { pooled: self.pooled };
        let reply = Reply { wall: self.config.compile_wall, body_bytes_max: self.config.compile_code_bytes_max };
        match self.ask(program, &question, &source.wasm, reply).await? {
            (Answer::Compiled(made), code) => Artefact::made(&self.engine, source.digest, &made, code),
            (Answer::Invalid { problem }, _) => Err(LoadError::Invalid(clean(&problem, PROBLEM_BYTES_MAX))),
            (Answer::Fault { problem }, _) => Err(LoadError::CompilerEnded { how: clean(&problem, PROBLEM_BYTES_MAX) }),
            (Answer::Ready { .. }, _) => {
                Err(LoadError::Internal("the compile child answers another question".to_owned()))
            }
        }
    }

    async fn ask(
        &self,
        program: &Program,
        question: &Question,
        body: &[u8],
        reply: Reply,
    ) -> Result<(Answer, Vec<u8>), LoadError> {
        let config = &self.config;
        let bounds =
            Bounds { memory_bytes: config.compile_memory_bytes_max, processor_s: config.compile_processor_s_max };
        let head = serde_json::to_vec(question).map_err(|error| LoadError::Internal(error.to_string()))?;
        let worker = Worker::start(program, ROLE, bounds).map_err(|ended| not_compiled(ended, config))?;
        let Message { head, body } =
            worker.ask(&head, body, reply).await.map_err(|ended| not_compiled(ended, config))?;
        let answer = serde_json::from_slice(&head)
            .map_err(|_| LoadError::Internal("the compile child's answer cannot be read".to_owned()))?;
        Ok((answer, body))
    }
}

/// Whose fault it is that a child ended: its bounds are the module's to keep.
fn not_compiled(ended: Ended, config: &SandboxConfig) -> LoadError {
    let limit = match ended {
        Ended::Wall => wall(config),
        Ended::ProcessorTime => CompileLimit::ProcessorTime { s: config.compile_processor_s_max },
        Ended::Aborted => CompileLimit::Memory { mib: config.compile_memory_bytes_max >> 20 },
        Ended::TooLong => CompileLimit::Code { mib: config.compile_code_bytes_max >> 20 },
        Ended::NotStarted(problem) => {
            return LoadError::Internal(format!("the compile child cannot be started: {problem}"));
        }
        Ended::Otherwise(how) => return LoadError::CompilerEnded { how },
    };
    LoadError::Uncompilable { limit }
}

fn wall(config: &SandboxConfig) -> CompileLimit {
    CompileLimit::Wall { ms: u64::try_from(config.compile_wall.as_millis()).unwrap_or(u64::MAX) }
}

/// Runs what takes a while, and a panic of it is an error.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|panicked| Err(LoadError::Internal(panicked.to_string())))
}
