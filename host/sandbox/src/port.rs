//! The messages between a run and the host that serves it: requests out, answers in. Plain data only, so that a run can
//! later live in a process of its own; nothing here may know wasmtime's store, people, keys or the network.

use arrow_array::RecordBatch;
use async_trait::async_trait;
use wasmtime::component::{ComponentType, Lift, Lower};

/// Serves one run: its data, log and progress. One value per run; dropping it ends every query that is still open.
#[async_trait]
pub trait HostPort: Send + Sync {
    /// Answers one request. The sandbox sends the next one only after the answer; it drops the returned future when the
    /// run is cancelled or its time is up, so an implementation must be safe to drop at every `await`.
    async fn call(&self, request: HostRequest) -> HostAnswer;
}

/// What a run asks of its host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostRequest {
    /// Starts a declared query. Answered by [`HostAnswer::Opened`] or [`HostAnswer::Fault`].
    Open {
        /// Names the query in later requests; never used twice in a run.
        handle: u32,
        /// The query's name in the manifest, at most [`QUERY_NAME_BYTES_MAX`] bytes.
        query: String,
        /// Values in the manifest's order.
        params: Vec<Param>,
    },
    /// Asks for the next batch. Answered by [`HostAnswer::Batch`] (`None` at the end) or [`HostAnswer::Fault`].
    Next {
        /// The query.
        handle: u32,
    },
    /// The guest dropped its cursor. Answered by [`HostAnswer::Done`].
    Close {
        /// The query.
        handle: u32,
    },
    /// A message for the provider's operators; never for the caller. Answered by [`HostAnswer::Done`].
    Log {
        /// How important the guest says it is.
        level: LogLevel,
        /// Guest-chosen text: escape before showing it.
        text: String,
    },
    /// How far the run is; sent when it passes a step of ten. Answered by [`HostAnswer::Done`].
    Progress {
        /// 0, 10, … 100.
        percent: u8,
    },
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq)]
pub enum HostAnswer {
    /// The query runs.
    Opened {
        /// The columns of every batch, in order.
        columns: Vec<ColumnInfo>,
    },
    /// The next rows, or the end.
    Batch(Option<RecordBatch>),
    /// The request is served; there is nothing to say.
    Done,
    /// The request cannot be served; the guest learns why.
    Fault(Fault),
}

/// Longest query name passed on, in bytes; a longer one is an unknown query.
pub const QUERY_NAME_BYTES_MAX: usize = 128;

/// A value for a query parameter (`iog:guest/data.param`).
#[derive(Clone, Debug, PartialEq, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Param {
    /// For `text`, `address` and `prefix`.
    #[component(name = "text")]
    Text(String),
    /// For `int` and `timestamp` (microseconds since 1970-01-01T00:00:00Z).
    #[component(name = "int")]
    Int(i64),
    /// For `uint`.
    #[component(name = "uint")]
    Uint(u64),
    /// For `float`.
    #[component(name = "float")]
    Float(f64),
    /// For `flag`.
    #[component(name = "flag")]
    Flag(bool),
}

/// What a column holds (`iog:guest/data.kind`) and which Arrow types the host may give for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum ColumnKind {
    /// `Int8` to `Int64`, `Timestamp` in microseconds.
    #[component(name = "int")]
    Int,
    /// `UInt8` to `UInt64`.
    #[component(name = "uint")]
    Uint,
    /// `Float32`, `Float64`.
    #[component(name = "float")]
    Float,
    /// `Boolean`.
    #[component(name = "boolean")]
    Boolean,
    /// `Utf8`, `LargeUtf8`, `Utf8View`.
    #[component(name = "text")]
    Text,
    /// `Binary`, `LargeBinary`, `BinaryView`.
    #[component(name = "bytes")]
    Bytes,
    /// `FixedSizeBinary(16)`.
    #[component(name = "address")]
    Address,
}

/// A result column (`iog:guest/data.column`).
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct ColumnInfo {
    /// Its name in the SELECT list.
    #[component(name = "name")]
    pub name: String,
    /// What it holds.
    #[component(name = "kind")]
    pub kind: ColumnKind,
}

/// Why data could not be given (`iog:guest/data.fault`).
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Fault {
    /// This run was not granted the dataset behind the query.
    #[component(name = "not-granted")]
    NotGranted,
    /// The manifest declares no query of this name.
    #[component(name = "unknown-query")]
    UnknownQuery(String),
    /// The values do not fit the declared parameters.
    #[component(name = "bad-param")]
    BadParam(String),
    /// No such column, or one of another kind.
    #[component(name = "bad-column")]
    BadColumn(String),
    /// The provider's data source failed.
    #[component(name = "unavailable")]
    Unavailable,
}

/// How important a log message is (`iog:guest/log.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// For the module's author.
    #[component(name = "debug")]
    Debug,
    /// Worth knowing.
    #[component(name = "info")]
    Info,
    /// Something is odd.
    #[component(name = "warn")]
    Warn,
    /// Something failed.
    #[component(name = "error")]
    Error,
}

/// A host that grants nothing: every query answers `not-granted`; log and progress go nowhere. What `merge` runs with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingGranted;

#[async_trait]
impl HostPort for NothingGranted {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        match request {
            HostRequest::Open { .. } | HostRequest::Next { .. } => HostAnswer::Fault(Fault::NotGranted),
            HostRequest::Close { .. } | HostRequest::Log { .. } | HostRequest::Progress { .. } => HostAnswer::Done,
        }
    }
}
