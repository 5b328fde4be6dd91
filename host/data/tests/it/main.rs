//! Tests of this crate through its public interface, in one binary: linking the query engine is what takes long.

mod common;
mod files;
mod hostile_sql;
mod queries;
mod traceback;
