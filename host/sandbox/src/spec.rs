//! What a run is given and what comes out of it, as data. Nothing here executes anything.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cancel::CancelFlag;
use crate::grants::Grants;
use crate::interfaces::HostPort;
use crate::limits::Limits;
use crate::module::Module;
use crate::params::Params;
use crate::provider::Provider;

/// Runs a module once. In-process today ([`crate::Sandbox`]); a runner process later, without changing either side.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs `spec` against `host`. Never fails: traps, limits and refusals are outcomes.
    async fn run(&self, spec: RunSpec, host: Arc<dyn HostPort>) -> RunReport;
}

/// One run.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// What to run, loaded by the same sandbox.
    pub module: Arc<Module>,
    /// The exported function to call.
    pub entry: String,
    /// An object with one member for each parameter of the entry, by name.
    pub params: Params,
    /// What `iog:guest/context` says.
    pub provider: Provider,
    /// The interfaces that are linked.
    pub grants: Grants,
    /// What the run may use.
    pub limits: Limits,
    /// Ends the run from outside.
    pub cancel: CancelFlag,
}

/// What came out of a run and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// How it ended.
    pub outcome: RunOutcome,
    /// What it used.
    pub usage: Usage,
}

/// What a run used. Everything but `wall_us` is the same for the same module, input, data and limits, except after
/// [`LimitKind::Time`] and [`RunOutcome::Cancelled`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fuel, at most the limit.
    pub fuel: u64,
    /// Largest sum of linear memories, tables and the parameters as values, in bytes.
    pub memory_peak_bytes: u64,
    /// Rows the guest advanced over.
    pub rows: u64,
    /// Bytes of columns handed to the guest.
    pub bytes: u64,
    /// Calls of imported functions.
    pub host_calls: u64,
    /// Log messages dropped because the cap was reached.
    pub log_dropped: u64,
    /// Wall time in microseconds.
    pub wall_us: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// The entry returned.
    Succeeded {
        /// Canonical JSON of its result; `null` where it has none.
        json: String,
    },
    /// The guest did what WebAssembly or the component model forbids.
    Trapped {
        /// What it was.
        kind: TrapKind,
    },
    /// A limit was reached.
    Limit(LimitKind),
    /// The parameters do not fit the entry's types: the caller's fault.
    BadParams(ValueError),
    /// The parameters would take more room as values than the run has; whose fault it is, they say.
    ParamsTooLarge(TooLarge),
    /// The module exports no such function: the caller's fault.
    UnknownEntry {
        /// The entry asked for.
        entry: String,
    },
    /// The module imports an interface that this run was not granted.
    NotGranted {
        /// Its full name, for example `iog:guest/data@0.1.0`.
        interface: String,
    },
    /// The cancel flag was set.
    Cancelled,
    /// The host's own fault; for the operator's log, not for the caller.
    Failed(String),
}

/// Values that would take more room than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct TooLarge {
    /// Whose fault it is.
    pub blame: Blame,
    /// What there is too much of.
    pub of: TooMuchOf,
    /// How much there may be.
    pub max: u64,
}

/// Whose fault it is that values take too much room: who made the greater part of them necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Who wrote the values.
    Caller,
    /// The author of the type, whose names and fields that may be left out are added to what was written.
    Module,
}

/// What values can have too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuchOf {
    /// Bytes on the host: [`Limits::memory_bytes`].
    Bytes,
    /// Values: [`Limits::values`].
    Values,
}

impl TooLarge {
    fn words(self) -> String {
        let (max, of) = (
            self.max,
            match self.of {
                TooMuchOf::Bytes => "bytes as values",
                TooMuchOf::Values => "values",
            },
        );
        match self.blame {
            Blame::Caller => format!("they make more than {max} {of}; send less at once"),
            Blame::Module => format!(
                "with the names and the absent fields of their types they make more than {max} {of}; the module's author \
                 has to mend the types"
            ),
        }
    }
}

/// Which limit ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// [`Limits::fuel`].
    Fuel,
    /// [`Limits::memory_bytes`]: the start needs more beside the parameters, the guest gave up after growth was refused, or what
    /// it hands over in one call would take more as values than it left.
    Memory,
    /// [`Limits::wall`].
    Time,
    /// [`Limits::result_bytes`], or more bytes in one call's arguments than the host takes.
    Output,
    /// [`Limits::host_calls`].
    HostCalls,
}

/// What a guest did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrapKind {
    /// `unreachable`; what a panic becomes.
    Unreachable,
    /// A memory access out of bounds.
    MemoryOutOfBounds,
    /// A table access out of bounds.
    TableOutOfBounds,
    /// An indirect call of an empty table element or of another type.
    BadIndirectCall,
    /// Integer overflow in a division or conversion.
    IntegerOverflow,
    /// Division by zero.
    DivisionByZero,
    /// A float that is not an integer converted to one.
    BadConversion,
    /// The call stack is exhausted.
    StackOverflow,
    /// The component model's rules: a bad pointer or handle, invalid UTF-8, a forbidden re-entry, a wrong discriminant.
    Interface,
    /// More than [`Limits::handles`] live handles.
    Handles,
    /// Any other trap.
    Other,
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable",
            Self::MemoryOutOfBounds => "memory_out_of_bounds",
            Self::TableOutOfBounds => "table_out_of_bounds",
            Self::BadIndirectCall => "bad_indirect_call",
            Self::IntegerOverflow => "integer_overflow",
            Self::DivisionByZero => "division_by_zero",
            Self::BadConversion => "bad_conversion",
            Self::StackOverflow => "stack_overflow",
            Self::Interface => "interface",
            Self::Handles => "handles",
            Self::Other => "other",
        })
    }
}

/// A JSON value that does not fit a WIT type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: expected {expected}, found {found}")]
pub struct ValueError {
    /// Where, for example `$.target[3].start`.
    pub path: String,
    /// The type that belongs there.
    pub expected: String,
    /// What is there, shortened.
    pub found: String,
}
