//! How a sandbox is set up and what it refuses before running anything: its configuration, structural limits and errors.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a sandbox is set up. One sandbox per process: gateways of one process share it and its compile cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Runs at the same time; more wait (their wall time already counts).
    pub runs_max: u32,
    /// Linear memory a run may ever have, in bytes; at most 4 GiB.
    pub memory_bytes_max: usize,
    /// Reserve slots for all runs at the start (fast), where the address space allows it.
    pub pooled: bool,
    /// Compilations at the same time, each on a thread of its own.
    pub compiles_max: u32,
    /// Use all cores for one compilation.
    pub parallel_compilation: bool,
    /// How long one compilation may take before the module counts as uncompilable.
    pub compile_wall: Duration,
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
            compiles_max: 2,
            parallel_compilation: true,
            compile_wall: Duration::from_secs(30),
            modules_max: 256,
            code_bytes_max: 512 << 20,
            structure: StructureLimits::default(),
        }
    }
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
    /// wasmtime refuses to start.
    #[error("the wasm engine cannot start: {0}")]
    Engine(String),
}

/// Why a module is not loaded: the module's (so its author's) fault, except for [`LoadError::Internal`].
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
    /// It took too long to compile.
    #[error("not compiled within {wall_ms} ms")]
    CompileTime {
        /// The limit in milliseconds.
        wall_ms: u64,
    },
    /// The host's own fault.
    #[error("the sandbox failed while loading: {0}")]
    Internal(String),
}

/// Refuses a module that has more of something than it may have; `what` is the field of [`StructureLimits`].
pub(crate) fn at_most(what: &'static str, found: u64, max: u64) -> Result<(), LoadError> {
    if found > max { Err(LoadError::Structure { what, found, max }) } else { Ok(()) }
}
