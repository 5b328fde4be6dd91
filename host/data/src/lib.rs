//! `iog-data`: a provider's datasets as typed columns, and declared SQL queries over them. The only crate that knows the
//! query engine. It must not know people, keys, networks or guests: what comes out are Arrow batches.

mod address;
mod allow;
mod balance;
mod cast;
mod columns;
mod condition;
mod counts;
mod csv;
mod database;
mod dataset;
mod engine;
mod error;
mod files;
mod functions;
mod guard;
mod hive;
mod local;
mod memory;
mod params;
mod parquet_file;
mod parquet_prune;
mod parquet_scan;
mod physical;
mod planner;
mod predicate;
mod range_test;
mod reader;
mod rewrite;
mod rows;
mod run;
mod scan;
mod schema;
mod snapshot;
mod sql;
mod text;
mod timestamp;
mod total;
mod watch;
mod work;
mod write;

pub use address::{
    AddressRange, PrefixError, PrefixWidth, address_bytes, address_text, network_of, parse_address, parse_prefix,
};
pub use counts::ScanCounts;
pub use database::{DatabaseUrl, Relation, SharedStates, TableSpec};
pub use dataset::{Dataset, Report, SourceSpec};
pub use engine::{Engine, Planned, PlannedQuery};
pub use error::{DataError, Misfit, PlanError, QueryError};
pub use guard::LOOP_JOIN_ROWS_MAX;
pub use params::{ParamType, Value};
pub use planner::PLANNING_MAX;
pub use rows::Rows;
pub use run::{CancelFlag, QueryLimits, SharedMemory};
pub use schema::{ColumnSpec, ColumnType, TableSchema};
pub use snapshot::Snapshot;
pub use sql::QuerySpec;
pub use text::TEXT_BYTES_MAX;
pub use timestamp::{TimestampUnit, parse_timestamp};
pub use write::{ParquetFileWriter, ROW_GROUP_ROWS, sync_folder, write_parquet};

/// Rows of every batch but the last of a query.
pub const BATCH_ROWS: usize = 16_384;
