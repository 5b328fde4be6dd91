//! The messages of `iog:guest/data`, as plain data: what a run asks about its queries and what the host answers.

use arrow_array::RecordBatch;
use wasmtime::component::{ComponentType, Lift, Lower};

/// What a run asks about its queries.
#[derive(Clone, Debug, PartialEq)]
pub enum DataRequest {
    /// Starts a declared query. Answered by [`DataAnswer::Opened`] or [`DataAnswer::Fault`].
    Open {
        /// Names the query in later requests; never used twice in a run.
        handle: u32,
        /// The query's name in the manifest, at most [`QUERY_NAME_BYTES_MAX`] bytes.
        query: String,
        /// Values in the manifest's order.
        params: Vec<Param>,
    },
    /// Asks for the next batch. Answered by [`DataAnswer::Batch`] (`None` at the end) or [`DataAnswer::Fault`].
    Next {
        /// The query.
        handle: u32,
    },
    /// The guest dropped its cursor. Answered by [`DataAnswer::Closed`].
    Close {
        /// The query.
        handle: u32,
    },
}

impl DataRequest {
    /// Nothing is granted.
    pub(crate) fn unserved(&self) -> DataAnswer {
        match self {
            Self::Open { .. } | Self::Next { .. } => DataAnswer::Fault(Fault::NotGranted),
            Self::Close { .. } => DataAnswer::Closed,
        }
    }
}

/// What the host answers.
#[derive(Clone, Debug, PartialEq)]
pub enum DataAnswer {
    /// The query runs.
    Opened {
        /// The columns of every batch, in order.
        columns: Vec<ColumnInfo>,
    },
    /// The next rows, or the end.
    Batch(Option<RecordBatch>),
    /// The query is ended.
    Closed,
    /// The request cannot be served; the guest learns why.
    Fault(Fault),
}

impl DataAnswer {
    /// Its kind in a word, for messages about a host that answers something else than was asked.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Batch(_) => "batch",
            Self::Closed => "closed",
            Self::Fault(_) => "fault",
        }
    }
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
