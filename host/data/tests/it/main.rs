//! Tests of this crate through its public interface, in one binary: linking the query engine is what takes long.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed step of a test must panic")]

mod common;
mod databases;
#[expect(clippy::print_stdout, reason = "it prints its figures")]
mod explode;
mod files;
mod folders;
mod hostile_sql;
mod parquet_types;
mod postgres;
mod pruning;
mod queries;
mod states;
mod tables;
mod totality;
mod traceback;
