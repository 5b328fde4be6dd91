//! How large a manifest and its parts may be. What a run may use is in `types.rs`.

/// Largest manifest, in bytes. The largest set of queries that passes the other bounds fits, and it is small enough to
/// read before anything is known about its author.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Most entries of a module. Each becomes a documented operation; people read them.
pub const ENTRIES_MAX: usize = 64;
/// Most dataset slots of a module.
pub const SLOTS_MAX: usize = 16;
/// Most queries of a module; each is planned and kept by every gateway.
pub const QUERIES_MAX: usize = 64;
/// Most parameters of a query.
pub const PARAMS_MAX: usize = 32;
/// Longest SQL text of a query, in bytes.
pub const SQL_BYTES_MAX: usize = 16 * 1024;
/// Longest query or parameter name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;
/// Longest summary, in characters.
pub const SUMMARY_CHARS_MAX: usize = 200;
/// Longest repository or commit, in characters.
pub const SOURCE_CHARS_MAX: usize = 256;
