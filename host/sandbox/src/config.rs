//! How a sandbox is set up and what it refuses before running anything: its configuration, structural limits and errors.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::child::Program;

/// Threads that guests may have.
pub(crate) const THREADS_MAX: u32 = 1_024;

/// How a sandbox is set up. One sandbox per process: gateways of one process share it and its compile cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Runs at the same time; more wait (their wall time already counts).
    pub runs_max: u32,
    /// Linear memory a run may ever have, in bytes; at most 4 GiB.
    pub memory_bytes_max: usize,
    /// Reserve slots for all runs at the start (fast), where the address space allows it.
    pub pooled: bool,
    /// On which threads guests run.
    pub guests: Guests,
    /// Where modules are compiled.
    pub compiler: Compiler,
    /// Compilations at the same time, each in a child or on a thread of its own.
    pub compiles_max: u32,
    /// Use all cores for one compilation in this process; a child has one thread.
    pub parallel_compilation: bool,
    /// How long one compilation may take before the module counts as uncompilable.
    pub compile_wall: Duration,
    /// Processor time of one compilation in a child, in seconds.
    pub compile_processor_s_max: u64,
    /// Memory of one compilation in a child beyond the program's own, in bytes of addresses.
    pub compile_memory_bytes_max: u64,
    /// Machine code that one compilation in a child may give, in bytes.
    pub compile_code_bytes_max: u64,
    /// How long a module that could not be compiled within these is refused without another try; ten minutes at most where
    /// it was the wall time.
    pub uncompilable_for: Duration,
    /// Compiled modules that are kept.
    pub modules_max: usize,
    /// Machine code that is kept, in bytes.
    pub code_bytes_max: usize,
    /// What a module may look like.
    pub structure: StructureLimits,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            runs_max: 64,
            memory_bytes_max: 256 << 20,
            pooled: true,
            guests: Guests::apart(),
            compiler: Compiler::Child(Program::Itself),
            compiles_max: 2,
            parallel_compilation: true,
            compile_wall: Duration::from_secs(30),
            compile_processor_s_max: 10,
            compile_memory_bytes_max: 1 << 30,
            compile_code_bytes_max: 128 << 20,
            uncompilable_for: Duration::from_hours(1),
            modules_max: 256,
            code_bytes_max: 512 << 20,
            structure: StructureLimits::default(),
        }
    }
}

impl SandboxConfig {
    /// The defaults, but modules are compiled in this process, and run on the threads of whoever asks: for tests, benchmarks,
    /// and modules that one trusts.
    #[must_use]
    pub fn compiling_here() -> Self {
        Self { compiler: Compiler::Here, guests: Guests::Here, ..Self::default() }
    }
}

/// On which threads guests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// On so many threads of their own, of a lower priority where the machine has priorities: for whoever serves others
    /// meanwhile. A run costs two changes of threads more.
    Apart(u32),
    /// On those of whoever asks, as a part of its own task.
    Here,
}

impl Guests {
    /// On threads of their own, one for each processor.
    #[must_use]
    pub fn apart() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::Apart(u32::try_from(processors).unwrap_or(THREADS_MAX).min(THREADS_MAX))
    }
}

/// Where modules are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In a confined child of its own for each module.
    Child(Program),
    /// In this process, on one of its threads, which nothing can stop: for modules that one trusts, tests and benchmarks.
    Here,
}

/// What a module may look like, checked before it is compiled: compiling has no fuel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StructureLimits {
    /// The whole component, in bytes.
    pub component_bytes: u64,
    /// Core modules.
    pub core_modules: u64,
    /// Components inside the component.
    pub nested_components: u64,
    /// Core instances that are made of a module.
    pub core_instances: u64,
    /// Instances of any other kind.
    pub instances: u64,
    /// Linear memories defined, over all core modules.
    pub memories: u64,
    /// Tables defined, over all core modules.
    pub tables: u64,
    /// Elements of one table at the start.
    pub table_elements: u64,
    /// Functions defined, over all core modules.
    pub functions: u64,
    /// One function body, in bytes.
    pub body_bytes: u64,
    /// Locals of one function.
    pub locals: u64,
    /// Blocks, loops, arms and conditional branches of one function.
    pub blocks: u64,
    /// Locals and parameters of one function, times its blocks: what a compiler keeps apart grows with it.
    pub block_variables: u64,
    /// Values that blocks, branches and calls of one function pass, for each target.
    pub passed_values: u64,
    /// The same over all functions.
    pub passed_values_all: u64,
    /// Nested blocks of one function.
    pub control_depth: u64,
    /// Targets of one `br_table`.
    pub br_table_targets: u64,
    /// Types, core and component ones.
    pub types: u64,
    /// How deep a component type may nest.
    pub type_depth: u64,
    /// Fields of a record or tuple, and parameters of a function.
    pub record_fields: u64,
    /// Cases of a variant or enum.
    pub variant_cases: u64,
    /// Names of a flags type.
    pub flags: u64,
    /// Globals.
    pub globals: u64,
    /// Data segments.
    pub data_segments: u64,
    /// Element segments.
    pub element_segments: u64,
    /// Imports and aliases.
    pub imports: u64,
    /// Exports of the component and of each core module.
    pub exports: u64,
    /// Custom sections, in bytes.
    pub custom_bytes: u64,
    /// One name, in bytes.
    pub name_bytes: u64,
}

impl Default for StructureLimits {
    fn default() -> Self {
        Self {
            component_bytes: 8 << 20,
            core_modules: 16,
            nested_components: 16,
            core_instances: 32,
            instances: 256,
            memories: 1,
            tables: 8,
            table_elements: 20_000,
            functions: 20_000,
            body_bytes: 256 << 10,
            locals: 2_000,
            blocks: 10_000,
            block_variables: 2_000_000,
            passed_values: 256 << 10,
            passed_values_all: 8 << 20,
            control_depth: 256,
            br_table_targets: 4_096,
            types: 5_000,
            type_depth: 16,
            record_fields: 256,
            variant_cases: 256,
            flags: 32,
            globals: 1_000,
            data_segments: 4_096,
            element_segments: 1_024,
            imports: 4_096,
            exports: 256,
            custom_bytes: 256 << 10,
            name_bytes: 1_024,
        }
    }
}

/// Why a sandbox cannot be made: the operator's or the machine's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A value of the configuration is out of range.
    #[error("`{key}` is {found}; it must be {expected}")]
    Config {
        /// The field of [`SandboxConfig`].
        key: &'static str,
        /// Its value.
        found: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// The threads of the guests do not start.
    #[error("the threads for guests cannot start: {0}")]
    Threads(String),
    /// wasmtime refuses to start.
    #[error("the wasm engine cannot start: {0}")]
    Engine(String),
}

/// What compiling a module may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileLimit {
    /// [`SandboxConfig::compile_wall`].
    #[error("{ms} ms")]
    Wall {
        /// Milliseconds.
        ms: u64,
    },
    /// [`SandboxConfig::compile_processor_s_max`].
    #[error("{s} s of processor time")]
    ProcessorTime {
        /// Seconds.
        s: u64,
    },
    /// [`SandboxConfig::compile_memory_bytes_max`], or the stack of a thread.
    #[error("{mib} MiB of memory")]
    Memory {
        /// MiB.
        mib: u64,
    },
    /// [`SandboxConfig::compile_code_bytes_max`].
    #[error("{mib} MiB of machine code")]
    Code {
        /// MiB.
        mib: u64,
    },
}

/// Why a module is not loaded: the module's (so its author's) fault, except for [`LoadError::Internal`] and
/// [`LoadError::Busy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are not a component in binary form (a core module, text, something else).
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// Too much of something.
    #[error("`{what}` is {found}, more than {max}")]
    Structure {
        /// The field of [`StructureLimits`].
        what: &'static str,
        /// How much the module has.
        found: u64,
        /// How much it may have.
        max: u64,
    },
    /// Malformed, or it uses a feature that is switched off.
    #[error("invalid component: {0}")]
    Invalid(String),
    /// It imports something else than the interfaces of `iog:guest`.
    #[error("the import `{name}` is not an interface of `iog:guest`")]
    Import {
        /// The import.
        name: String,
    },
    /// An entry has a type that is not a value (a resource, stream, future …).
    #[error("entry `{entry}` uses `{found}`, which has no value form")]
    Type {
        /// The exported function.
        entry: String,
        /// The type.
        found: String,
    },
    /// A run of it takes more of something than a run may have.
    #[error("it can never run: {problem}")]
    NeverFits {
        /// What and how much, in words.
        problem: String,
    },
    /// Compiling it takes more than compiling a module may. It is not tried again for a while.
    #[error("compiling the module takes more than {limit}; its author should split its largest functions")]
    Uncompilable {
        /// What it takes more of.
        limit: CompileLimit,
    },
    /// The process that compiled it ended in the middle: a bug that the module found, or somebody ended it. It is not tried
    /// again for a minute.
    #[error("the process that compiled the module ended before it was done: {how}")]
    CompilerEnded {
        /// How it ended.
        how: String,
    },
    /// More modules wait to be compiled than may; nobody's fault, and later there is room.
    #[error("{waiting} modules wait to be compiled already; ask again later")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The host's own fault.
    #[error("the sandbox failed while loading: {0}")]
    Internal(String),
}

/// Refuses a module that has more of something than it may have; `what` is the field of [`StructureLimits`].
pub(crate) fn at_most(what: &'static str, found: u64, max: u64) -> Result<(), LoadError> {
    if found > max { Err(LoadError::Structure { what, found, max }) } else { Ok(()) }
}
