//! The identity of the data that a dataset holds. Plain data.

/// Identity and size of the data at the time of opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// SHA-256 over the content of all files in order (or of all values in memory): it proves what was read. Of a SQLite file
    /// over its bytes and the statement that reads them. Of PostgreSQL over what names the state of the database and that
    /// statement: the same digest means the same rows, but it is not a hash of them, and equal rows may have another one.
    pub digest: [u8; 32],
    /// Bytes as stored: of a gzip file the compressed ones; of PostgreSQL 0, for it is not asked.
    pub stored_bytes: u64,
    /// Number of rows where it is known without reading them all.
    pub rows: Option<u64>,
}
